"""OpenRLHF's `--reward.remote_url`: `/get_reward`."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Body, Request
from pydantic import Discriminator, Field, Tag
from starlette.responses import Response

from rewardsmith.serve.protocols.activation import activated
from rewardsmith.serve.protocols.documented import examples, scoring_responses
from rewardsmith.serve.protocols.json_route import JsonRoute, json_reply
from rewardsmith.serve.protocols.scoring import Scored, score
from rewardsmith.serve.protocols.wire import ForeignRequest, Reply, Text
from rewardsmith.serve.work import Ask

router = APIRouter(route_class=JsonRoute, tags=["OpenRLHF"])


class GetRewardRequest(ForeignRequest):
    """What `/get_reward` takes."""

    query: Annotated[
        Annotated[Text, Tag("text")] | Annotated[list[Text], Field(fail_fast=True), Tag("texts")],
        Discriminator(lambda value: "texts" if isinstance(value, list) else "text"),
    ]
    """Prompt and response as one rendered text each, read as it is. OpenRLHF spreads its texts over several servers and
    sends some of them none: they get no rewards."""

    prompts: list[Any] | None = None
    """Not used: they are part of the queries."""

    labels: list[Any] | None = None
    """Not used."""

    model: str | None = Field(default=None)
    """Name of the model; the first one where absent. OpenRLHF has no such field."""


class GetRewardReply(Reply):
    """Rewards, in the order of the queries."""

    rewards: list[float]
    scores: list[float]
    """The sigmoids of the rewards: what OpenRLHF filters by."""

    extra_logs: dict[str, float]
    """Means over the queries, for its curves: `tokens`, `truncated` and, of an ensemble, `spread`."""


@router.post(
    "/get_reward",
    responses=scoring_responses(
        GetRewardReply, {"rewards": [1.625], "scores": [0.8354836], "extra_logs": {"tokens": 24.0, "truncated": 0.0}}
    ),
)
async def get_reward(
    request: Request,
    body: Annotated[
        GetRewardRequest,
        Body(
            openapi_examples=examples(
                queries={"query": ["What is 2 + 2? 4"], "prompts": ["What is 2 + 2?"], "labels": ["4"]}
            )
        ),
    ],
) -> Response:
    """The reward of each query."""
    queries = (body.query,) if isinstance(body.query, str) else tuple(body.query)
    if not queries:
        return json_reply({"rewards": [], "scores": [], "extra_logs": {}})
    scored = await score(request, body.model, Ask(texts=queries))
    rewards = scored.rewards
    return json_reply(
        {"rewards": rewards, "scores": activated(rewards, is_sigmoid=True), "extra_logs": _extra_logs(scored)}
    )


def _extra_logs(scored: Scored) -> dict[str, float]:
    answer = scored.answer
    logs = {"truncated": answer.n_truncated / len(answer.scores)}
    if answer.n_tokens:
        logs["tokens"] = float(np.mean(answer.n_tokens))
    if answer.scores.spread is not None:
        logs["spread"] = float(np.mean(answer.scores.spread))
    return logs
