"""OpenAI's `/v1/embeddings`, as SGLang-style reward servers use it: the embedding of a text is its reward."""

from __future__ import annotations

import base64
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Body, Request
from starlette.responses import Response

from rewardsmith.core.errors import SettingsError
from rewardsmith.serve.protocols.documented import examples, scoring_responses
from rewardsmith.serve.protocols.input_request import InputRequest, ask_of
from rewardsmith.serve.protocols.json_route import JsonRoute, json_reply
from rewardsmith.serve.protocols.scoring import listed, score
from rewardsmith.serve.protocols.wire import Reply, Usage

router = APIRouter(route_class=JsonRoute, tags=["OpenAI"])


class EmbeddingsRequest(InputRequest):
    """What `/v1/embeddings` takes."""

    encoding_format: Literal["float", "base64"] | None = None
    """`base64` (what OpenAI's client asks for by itself) gives the little-endian float32 bytes."""

    dimensions: int | None = None
    """Only 1."""


class Embedding(Reply):
    """The reward of one text."""

    object: str
    index: int
    embedding: list[float] | str


class EmbeddingsReply(Reply):
    """Rewards, in the order of the texts."""

    id: str
    object: str
    created: int
    model: str
    data: list[Embedding]
    usage: Usage


@router.post(
    "/v1/embeddings",
    responses=scoring_responses(
        EmbeddingsReply,
        {
            "id": "embd-0f",
            "object": "list",
            "created": 1767225600,
            "model": "helpful",
            "data": [{"object": "embedding", "index": 0, "embedding": [1.625]}],
            "usage": {"prompt_tokens": 24, "total_tokens": 24, "completion_tokens": 0},
        },
    ),
)
async def embeddings(
    request: Request,
    body: Annotated[
        EmbeddingsRequest,
        Body(
            openapi_examples=examples(
                texts={"model": "helpful", "input": ["What is 2 + 2? 4"]},
                as_the_openai_client_sends_it={"model": "helpful", "input": "4", "encoding_format": "base64"},
            )
        ),
    ],
) -> Response:
    """The reward of each text, as an embedding of one dimension."""
    if body.dimensions not in (None, 1):
        raise SettingsError("a reward has one dimension", wanted="1, or none", got=body.dimensions, where="dimensions")
    scored = await score(request, body.model, ask_of(body))
    is_base64 = body.encoding_format == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _base64(value) if is_base64 else [value]}
        for index, value in enumerate(scored.rewards)
    ]
    return json_reply(listed("embd", scored, data))


def _base64(reward: float) -> str:
    return base64.b64encode(np.array([reward], "<f4").tobytes()).decode("ascii")
