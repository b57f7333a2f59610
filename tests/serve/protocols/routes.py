"""Every way to ask for rewards over HTTP, each as a function from texts to rewards in their order."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Sequence
from typing import Any

import httpx2
import pytest

from rewardsmith.core.conversation import Conversation, to_dicts

Rewards = list[float]


def post(http: httpx2.Client, path: str, body: dict[str, Any]) -> Any:
    reply = http.post(path, json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def ordered(rows: list[dict[str, Any]], key: str) -> Rewards:
    """Best first, and then by index."""
    values = [row[key] for row in rows]
    assert values == sorted(values, reverse=True)
    return [row[key] for row in sorted(rows, key=lambda row: row["index"])]


def _one_by_one(path: str, read: Callable[[Any], float]) -> Callable[..., Rewards]:
    def ask(http: httpx2.Client, model: str, conversations: Sequence[Conversation]) -> Rewards:
        bodies = [{"model": model, "messages": to_dicts(each)} for each in conversations]
        return [read(post(http, path, body)) for body in bodies]

    return ask


def _paired(conversations: Sequence[Conversation]) -> tuple[list[str], list[str]]:
    return [each[0].content for each in conversations], [each[1].content for each in conversations]


def _score(path: str, first: str, second: str) -> Callable[..., Rewards]:
    def ask(http: httpx2.Client, model: str, conversations: Sequence[Conversation]) -> Rewards:
        queries, documents = _paired(conversations)
        reply = post(http, path, {"model": model, first: queries, second: documents})
        assert [row["index"] for row in reply["data"]] == list(range(len(documents)))
        return [row["score"] for row in reply["data"]]

    return ask


def _one_prompt(conversations: Sequence[Conversation]) -> list[tuple[str, list[str]]]:
    """The answers by their prompts; those of a prompt stand together."""
    queries, _ = _paired(conversations)
    return [
        (query, [each[1].content for each in conversations if each[0].content == query])
        for query in dict.fromkeys(queries)
    ]


def _rerank(path: str, answers: str, key: str, **options: Any) -> Callable[..., Rewards]:
    def ask(http: httpx2.Client, model: str, conversations: Sequence[Conversation]) -> Rewards:
        rewards: Rewards = []
        for query, documents in _one_prompt(conversations):
            reply = post(http, path, {"model": model, "query": query, answers: documents, **options})
            rewards += ordered(reply["results"] if answers == "documents" else reply, key)
        return rewards

    return ask


def _predict_pairs(http: httpx2.Client, model: str, conversations: Sequence[Conversation]) -> Rewards:
    pairs = [list(pair) for pair in zip(*_paired(conversations), strict=True)]
    reply = post(http, "/predict", {"model": model, "inputs": pairs, "raw_scores": True})
    first = post(http, "/predict", {"model": model, "inputs": pairs[0], "raw_scores": True})
    assert first == [{"score": pytest.approx(reply[0][0]["score"], abs=1e-5), "label": "LABEL_0"}]
    return [row[0]["score"] for row in reply]


def _rewards(http: httpx2.Client, model: str, conversations: Sequence[Conversation]) -> Rewards:
    reply = post(http, "/v1/rewards", {"model": model, "conversations": [to_dicts(each) for each in conversations]})
    return [row["reward"] for row in reply["data"]]


def _answers(http: httpx2.Client, model: str, conversations: Sequence[Conversation]) -> Rewards:
    replies = [
        post(http, "/v1/rewards", {"model": model, "prompt": prompt, "answers": answers})
        for prompt, answers in _one_prompt(conversations)
    ]
    return [row["reward"] for reply in replies for row in reply["data"]]


CONVERSATION_ROUTES: dict[str, Callable[..., Rewards]] = {
    "/v1/rewards": _rewards,
    "/v1/rewards of answers": _answers,
    "/classify": _one_by_one("/classify", lambda reply: reply["data"][-1]["probs"][-1]),
    "/pooling": _one_by_one("/pooling", lambda reply: reply["data"][0]["data"][0]),
    "/v1/embeddings": _one_by_one("/v1/embeddings", lambda reply: reply["data"][0]["embedding"][0]),
    "/score": _score("/score", "queries", "documents"),
    "/v1/score": _score("/v1/score", "text_1", "text_2"),
    "/rerank": _rerank("/rerank", "documents", "relevance_score"),
    "/v1/rerank": _rerank("/v1/rerank", "documents", "relevance_score"),
    "/v2/rerank": _rerank("/v2/rerank", "documents", "relevance_score"),
    "/rerank of texts": _rerank("/rerank", "texts", "score", raw_scores=True),
    "/predict": _predict_pairs,
}
"""Those that render conversations."""


def _classify(http: httpx2.Client, model: str, texts: Sequence[str]) -> Rewards:
    reply = post(http, "/classify", {"model": model, "input": list(texts), "activation": False})
    return [row["probs"][0] for row in reply["data"]]


def _embeddings_base64(http: httpx2.Client, model: str, texts: Sequence[str]) -> Rewards:
    body = {"model": model, "input": list(texts), "encoding_format": "base64"}
    rows = post(http, "/v1/embeddings", body)["data"]
    return [struct.unpack("<f", base64.b64decode(row["embedding"]))[0] for row in rows]


def _predict(http: httpx2.Client, model: str, texts: Sequence[str]) -> Rewards:
    body = {"model": model, "inputs": [[text] for text in texts], "raw_scores": True}
    return [row[0]["score"] for row in post(http, "/predict", body)]


TEXT_ROUTES: dict[str, Callable[..., Rewards]] = {
    "/v1/rewards": lambda http, model, texts: [
        row["reward"] for row in post(http, "/v1/rewards", {"model": model, "texts": list(texts)})["data"]
    ],
    "/classify": _classify,
    "/pooling": lambda http, model, texts: [
        row["data"][0] for row in post(http, "/pooling", {"model": model, "input": list(texts)})["data"]
    ],
    "/v1/embeddings": lambda http, model, texts: [
        row["embedding"][0] for row in post(http, "/v1/embeddings", {"model": model, "input": list(texts)})["data"]
    ],
    "/v1/embeddings in base64": _embeddings_base64,
    "/predict": _predict,
    "/get_reward": lambda http, model, texts: post(http, "/get_reward", {"model": model, "query": list(texts)})[
        "rewards"
    ],
    "/v1/score/evaluation": lambda http, model, texts: post(
        http, "/v1/score/evaluation", {"model": model, "messages": list(texts)}
    )["scores"],
}
"""Those that take texts as they are."""

ID_ROUTES: dict[str, Callable[..., Rewards]] = {
    "/v1/rewards": lambda http, model, ids: [
        row["reward"] for row in post(http, "/v1/rewards", {"model": model, "ids": ids})["data"]
    ],
    "/classify": lambda http, model, ids: [
        row["probs"][0] for row in post(http, "/classify", {"model": model, "input": ids})["data"]
    ],
    "/classify of one": lambda http, model, ids: [
        post(http, "/classify", {"model": model, "input": each})["data"][0]["probs"][0] for each in ids
    ],
}
"""Those that take token ids."""
