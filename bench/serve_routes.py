"""The routes that score, as the benchmarks use them: what is sent for a conversation, and where the reward stands."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from rewardsmith.core.conversation import Conversation, to_dicts

Takes = Literal["messages", "text", "pair"]
"""A conversation through the template; its rendered text; or a question and an answer through the template."""


@dataclass(frozen=True, slots=True)
class Route:
    """One way to ask for a reward.

    Attributes:
        name: Path, and what is special about the request.
        path: Of the request.
        takes: What `body` is given: messages, a text, or (question, answer).
        body: The request.
        reward: The reward in the reply.
    """

    name: str
    path: str
    takes: Takes
    body: Callable[[Any], Any]
    reward: Callable[[Any], float]

    def sent(self, what: Any, *, model: str | None = None) -> tuple[str, str]:
        """Path and body of a request about `what`."""
        body = self.body(what)
        return self.path, json.dumps(body if model is None else {**body, "model": model})

    def subject(self, conversation: Conversation, text: str) -> Any:
        """What `body` is given of a conversation whose rendered text is `text`."""
        match self.takes:
            case "messages":
                return to_dicts(conversation)
            case "text":
                return text
            case "pair":
                return conversation[0].content, conversation[-1].content

    def suits(self, conversation: Conversation) -> bool:
        """Whether the route can say it: a pair is one question and one answer."""
        return self.takes != "pair" or [turn.role for turn in conversation] == ["user", "assistant"]


def _data(reply: Any) -> Any:
    return reply["data"][0]


def _first(name: str) -> Callable[[Any], float]:
    return lambda reply: _data(reply)[name][0]


ROUTES = (
    Route(
        "/v1/rewards",
        "/v1/rewards",
        "messages",
        lambda it: {"conversations": [it]},
        lambda reply: _data(reply)["reward"],
    ),
    Route(
        "/v1/rewards answers",
        "/v1/rewards",
        "pair",
        lambda it: {"prompt": it[0], "answers": [it[1]]},
        lambda reply: _data(reply)["reward"],
    ),
    Route("/v1/rewards texts", "/v1/rewards", "text", lambda it: {"texts": [it]}, lambda reply: _data(reply)["reward"]),
    Route("/classify messages", "/classify", "messages", lambda it: {"messages": it}, _first("probs")),
    Route("/classify", "/classify", "text", lambda it: {"input": [it], "activation": False}, _first("probs")),
    Route("/pooling", "/pooling", "text", lambda it: {"input": it, "task": "classify"}, _first("data")),
    Route("/v1/embeddings", "/v1/embeddings", "text", lambda it: {"input": it}, _first("embedding")),
    Route(
        "/v1/score",
        "/v1/score",
        "pair",
        lambda it: {"queries": it[0], "documents": [it[1]]},
        lambda reply: _data(reply)["score"],
    ),
    Route(
        "/score",
        "/score",
        "pair",
        lambda it: {"text_1": it[0], "text_2": it[1]},
        lambda reply: _data(reply)["score"],
    ),
    *(
        Route(
            path,
            path,
            "pair",
            lambda it: {"query": it[0], "documents": [it[1]]},
            lambda reply: reply["results"][0]["relevance_score"],
        )
        for path in ("/rerank", "/v1/rerank", "/v2/rerank")
    ),
    Route(
        "/rerank texts",
        "/rerank",
        "pair",
        lambda it: {"query": it[0], "texts": [it[1]], "raw_scores": True},
        lambda reply: reply[0]["score"],
    ),
    Route(
        "/predict", "/predict", "text", lambda it: {"inputs": it, "raw_scores": True}, lambda reply: reply[0]["score"]
    ),
    Route(
        "/predict pair",
        "/predict",
        "pair",
        lambda it: {"inputs": [list(it)], "raw_scores": True},
        lambda reply: reply[0][0]["score"],
    ),
    Route("/get_reward", "/get_reward", "text", lambda it: {"query": [it]}, lambda reply: reply["rewards"][0]),
    Route(
        "/v1/score/evaluation",
        "/v1/score/evaluation",
        "text",
        lambda it: {"messages": [it]},
        lambda reply: reply["scores"][0],
    ),
)
