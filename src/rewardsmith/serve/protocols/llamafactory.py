"""LLaMA-Factory's reward API: `/v1/score/evaluation`."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, Body, Request
from pydantic import Field
from starlette.responses import Response

from rewardsmith.serve.protocols.documented import examples, scoring_responses
from rewardsmith.serve.protocols.json_route import JsonRoute, json_reply
from rewardsmith.serve.protocols.scoring import score, served_models
from rewardsmith.serve.protocols.wire import ForeignRequest, Reply, Texts
from rewardsmith.serve.work import Ask

router = APIRouter(route_class=JsonRoute, tags=["LLaMA-Factory"])

_ANY_MODEL = "model"
"""What its trainer sends, whatever is served."""


class EvaluationRequest(ForeignRequest):
    """What `/v1/score/evaluation` takes."""

    messages: Texts
    """Whole rendered texts, read as they are."""

    model: str | None = None
    """Name of the model; the first one where absent, or where it is `model`, which LLaMA-Factory's own client says."""

    max_length: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    """Cut longer texts to so many of their last tokens. Without it, what the model cannot take gives 413."""


class EvaluationReply(Reply):
    """Rewards, in the order of the texts."""

    id: str
    object: str
    model: str
    scores: list[float]


@router.post(
    "/v1/score/evaluation",
    responses=scoring_responses(
        EvaluationReply,
        {"id": "scoreval-0f", "object": "score.evaluation", "model": "helpful", "scores": [1.625]},
    ),
)
async def evaluation(
    request: Request,
    body: Annotated[
        EvaluationRequest,
        Body(
            openapi_examples=examples(texts={"model": "helpful", "messages": ["What is 2 + 2? 4"], "max_length": 512})
        ),
    ],
) -> Response:
    """The reward of each text."""
    ask = Ask(texts=tuple(body.messages), truncate=body.max_length is not None, max_tokens=body.max_length)
    scored = await score(request, _named(request, body.model), ask)
    return json_reply(
        {
            "id": f"scoreval-{uuid.uuid4().hex}",
            "object": "score.evaluation",
            "model": scored.model.name,
            "scores": scored.rewards,
        }
    )


def _named(request: Request, name: str | None) -> str | None:
    known = {model.name for model in served_models(request).listing()}
    return None if name == _ANY_MODEL and name not in known else name
