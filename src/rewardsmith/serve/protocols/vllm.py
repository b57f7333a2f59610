"""vLLM's `/classify` and `/pooling`; verl calls the first."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Request
from starlette.responses import Response

from rewardsmith.core.errors import ModelError
from rewardsmith.serve.protocols.activation import Activated, activated, wants_sigmoid
from rewardsmith.serve.protocols.documented import examples, scoring_responses
from rewardsmith.serve.protocols.input_request import InputRequest, ask_of
from rewardsmith.serve.protocols.json_route import JsonRoute, json_reply
from rewardsmith.serve.protocols.scoring import listed, score, served_models
from rewardsmith.serve.protocols.wire import Reply, Usage

LABEL = "LABEL_0"
"""What transformers calls the one output of a reward model."""

router = APIRouter(route_class=JsonRoute, tags=["vLLM"])


class ClassifyRequest(InputRequest, Activated):
    """What `/classify` takes."""


class Classification(Reply):
    """The reward of one text."""

    index: int
    label: str
    probs: list[float]
    """The reward; its sigmoid where that was asked for."""

    num_classes: int


class ClassifyReply(Reply):
    """Rewards, in the order of the texts."""

    id: str
    object: str
    created: int
    model: str
    data: list[Classification]
    usage: Usage


class PoolingRequest(InputRequest, Activated):
    """What `/pooling` takes."""

    task: Literal["classify", "token_classify", "score", "reward", "encode"] | None = None
    """`token_classify` gives a process model's steps; anything else the reward of each text."""

    encoding_format: Literal["float"] | None = None
    """Numbers only."""


class Pooled(Reply):
    """The reward of one text, or one number a step."""

    index: int
    object: str
    data: list[float] | list[list[float | None]]
    """`[reward]`; or one `[probability]` a step, null where the step was cut away."""


class PoolingReply(Reply):
    """Rewards, in the order of the texts."""

    id: str
    object: str
    created: int
    model: str
    data: list[Pooled]
    usage: Usage


_TEXT = "<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n4<|im_end|>\n"
_MESSAGES = [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "4"}]
_USAGE = {"prompt_tokens": 24, "total_tokens": 24, "completion_tokens": 0}
_LIST = {"object": "list", "created": 1767225600, "model": "helpful", "usage": _USAGE}


@router.post(
    "/classify",
    responses=scoring_responses(
        ClassifyReply,
        {"id": "classify-0f", "data": [{"index": 0, "label": LABEL, "probs": [1.625], "num_classes": 1}], **_LIST},
    ),
)
async def classify(
    request: Request,
    body: Annotated[
        ClassifyRequest,
        Body(
            openapi_examples=examples(
                a_rendered_text={"model": "helpful", "input": _TEXT, "activation": False},
                a_conversation={"messages": _MESSAGES},
                token_ids={"input": [[1, 403, 19, 2], [1, 77, 2]], "truncate_prompt_tokens": 512},
            )
        ),
    ],
) -> Response:
    """The reward of each text, as the one class of a classifier."""
    is_sigmoid = wants_sigmoid(body)
    scored = await score(request, body.model, ask_of(body))
    data = [
        {"index": index, "label": LABEL, "probs": [value], "num_classes": 1}
        for index, value in enumerate(activated(scored.rewards, is_sigmoid=is_sigmoid))
    ]
    return json_reply(listed("classify", scored, data))


@router.post(
    "/pooling",
    responses=scoring_responses(
        PoolingReply, {"id": "pool-0f", "data": [{"index": 0, "object": "pooling", "data": [1.625]}], **_LIST}
    ),
)
async def pooling(
    request: Request,
    body: Annotated[
        PoolingRequest,
        Body(
            openapi_examples=examples(
                rewards={"input": [_TEXT], "task": "classify"}, steps={"messages": _MESSAGES, "task": "classify"}
            )
        ),
    ],
) -> Response:
    """The reward of each text, or the steps of each."""
    is_sigmoid = wants_sigmoid(body)
    wants_steps = body.task == "token_classify"
    if wants_steps:
        _require_steps(request, body.model)
    scored = await score(request, body.model, ask_of(body))
    rows: list[Any] = [[value] for value in activated(scored.rewards, is_sigmoid=is_sigmoid)]
    if wants_steps and scored.answer.scores.steps is not None:
        rows = [[[value] for value in steps.tolist()] for steps in scored.answer.scores.steps]
    data = [{"index": index, "object": "pooling", "data": row} for index, row in enumerate(rows)]
    return json_reply(listed("pool", scored, data))


def _require_steps(request: Request, name: str | None) -> None:
    model = served_models(request).find(name)
    if "steps" not in model.can:
        raise ModelError(
            f"a model of family {model.family} judges no steps",
            wanted="task: classify",
            got="token_classify",
            where="task",
        )
