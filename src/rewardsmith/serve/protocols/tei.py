"""Text Embeddings Inference: `/predict`. (Its `/rerank` is told from the others by `texts`; see `pairs`.)"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Request
from pydantic import Discriminator, Field, Tag
from starlette.responses import Response

from rewardsmith.core.errors import SettingsError
from rewardsmith.serve.protocols.activation import activated
from rewardsmith.serve.protocols.documented import examples, scoring_responses
from rewardsmith.serve.protocols.json_route import JsonRoute, json_reply
from rewardsmith.serve.protocols.scoring import score
from rewardsmith.serve.protocols.vllm import LABEL
from rewardsmith.serve.protocols.wire import ForeignRequest, Reply, Text, pair
from rewardsmith.serve.work import Ask

router = APIRouter(route_class=JsonRoute, tags=["TEI"])


def _kind(value: Any) -> str:
    if isinstance(value, list):
        return "batch" if value and isinstance(value[0], list) else "one"
    return "text"


One = Annotated[list[Text], Field(min_length=1, max_length=2, fail_fast=True)]
"""A text, or a pair of texts."""

Inputs = Annotated[
    Annotated[Text, Tag("text")]
    | Annotated[One, Tag("one")]
    | Annotated[list[One], Field(min_length=1, fail_fast=True), Tag("batch")],
    Discriminator(_kind),
]


class PredictRequest(ForeignRequest):
    """What `/predict` takes."""

    inputs: Inputs
    """A text; `[text]`; one pair `[query, answer]`; or a batch of `[text]` and `[query, answer]`.

    A text is read as it is; a pair is a user's turn and an answer, through the model's chat template."""

    model: str | None = None
    """Name of the model; the first one where absent. TEI has no such field."""

    raw_scores: bool = False
    """The rewards themselves. TEI's default is their sigmoid."""

    truncate: bool | None = None
    """Cut what is too long, in the place of an error."""

    truncation_direction: Literal["left", "right", "Left", "Right"] | None = None
    """Only `left`: a reward is read at the end of the answer."""


class Prediction(Reply):
    """The reward of one text."""

    score: float
    label: str


@router.post(
    "/predict",
    responses=scoring_responses(list[Prediction] | list[list[Prediction]], [[{"score": 0.8354836, "label": LABEL}]]),
)
async def predict(
    request: Request,
    body: Annotated[
        PredictRequest,
        Body(
            openapi_examples=examples(
                a_text={"inputs": "What is 2 + 2? 4"},
                one_pair={"inputs": ["What is 2 + 2?", "4"], "raw_scores": True},
                a_batch={"inputs": [["What is 2 + 2?", "4"], ["What is 2 + 2? 22"]], "truncate": True},
            )
        ),
    ],
) -> Response:
    """The reward of each text or pair, as the one label of a classifier."""
    if body.truncate and (body.truncation_direction or "left").lower() == "right":
        raise SettingsError(
            "cut from the right, the answer loses its end, where the reward is read",
            wanted="left",
            got=body.truncation_direction,
            where="truncation_direction",
        )
    is_batch = isinstance(body.inputs, list) and isinstance(body.inputs[0], list)
    items: Any = body.inputs if is_batch else [[body.inputs] if isinstance(body.inputs, str) else body.inputs]
    rewards = await _rewards(request, body, items)
    predicted = [[{"score": value, "label": LABEL}] for value in activated(rewards, is_sigmoid=not body.raw_scores)]
    return json_reply(predicted if is_batch else predicted[0])


async def _rewards(request: Request, body: PredictRequest, items: Sequence[Sequence[str]]) -> list[float]:
    """The rewards in the order of the items; texts and pairs are rendered differently, and asked for separately."""
    truncate = bool(body.truncate)
    texts = {number: item[0] for number, item in enumerate(items) if len(item) == 1}
    pairs = {number: pair(item[0], item[1]) for number, item in enumerate(items) if len(item) == 2}
    rewards: dict[int, float] = {}
    for numbers, ask in (
        (texts, Ask(texts=tuple(texts.values()), truncate=truncate)),
        (pairs, Ask(conversations=tuple(pairs.values()), truncate=truncate)),
    ):
        if numbers:
            scored = await score(request, body.model, ask)
            rewards |= dict(zip(numbers, scored.rewards, strict=True))
    return [rewards[number] for number in range(len(items))]
