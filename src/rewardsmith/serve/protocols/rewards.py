"""Our own `/v1/rewards`: conversations in, the whole `Scores` out."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from pydantic import ConfigDict, Discriminator, Field, Tag
from pydantic.config import JsonDict
from pydantic.json_schema import SkipJsonSchema
from starlette.responses import Response

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import DataError
from rewardsmith.serve.protocols.baseline import Baseline, Compared, baseline_conversation, compared
from rewardsmith.serve.protocols.documented import examples, scoring_responses
from rewardsmith.serve.protocols.json_route import JsonRoute, json_reply
from rewardsmith.serve.protocols.scoring import Scored, score, usage
from rewardsmith.serve.protocols.wire import (
    ManyTokenIds,
    OwnMessages,
    OwnRequest,
    Reply,
    Texts,
    Usage,
    conversation_of,
    conversation_so_far,
    one_of,
)
from rewardsmith.serve.work import Answer, Ask

router = APIRouter(route_class=JsonRoute, tags=["rewardsmith"])

_ONE_KIND: JsonDict = {
    **one_of("conversations", "answers", "texts", "ids"),
    "dependentRequired": {"answers": ["prompt"], "prompt": ["answers"]},
}


class RewardsRequest(OwnRequest):
    """What `/v1/rewards` takes: exactly one of `conversations`, `answers` (with `prompt`), `texts` and `ids`."""

    model_config = ConfigDict(json_schema_extra=_ONE_KIND)

    conversations: Annotated[list[OwnMessages], Field(min_length=1, fail_fast=True)] | SkipJsonSchema[None] = None
    """Whole conversations; the last turn of each is the answer that is scored."""

    prompt: (
        Annotated[
            Annotated[str, Tag("text")] | Annotated[OwnMessages, Tag("messages")],
            Discriminator(lambda value: "messages" if isinstance(value, list) else "text"),
        ]
        | SkipJsonSchema[None]
    ) = None
    """What was said before the answers: a text of the user, or turns."""

    answers: Annotated[list[str], Field(min_length=1, fail_fast=True)] | SkipJsonSchema[None] = None
    """Answers to the one prompt."""

    texts: Texts | SkipJsonSchema[None] = None
    """Whole rendered texts, read as they are: through no template, and no special token is added."""

    ids: ManyTokenIds | SkipJsonSchema[None] = None
    """Token ids, read as they are."""

    model: str | None = None
    """Name of the model; the first one where absent."""

    truncate: bool = False
    """Cut what is too long (the beginning of the prompt goes first), in the place of an error."""

    max_tokens: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    """Longest text of this request, in tokens; what the model takes where absent."""

    baseline: Baseline | None = None
    """What each reward is compared with: `0` is the first answer, `{"reward": 1.5}` a reward, a list of turns a
    conversation that is scored as well."""


class ScoredText(Reply):
    """The scores of one text. What the model's family does not give is left out."""

    index: int
    reward: float
    """The raw reward, a logit. Comparable only within one prompt and one model."""

    spread: float | None = None
    """How far the members of an ensemble lie apart."""

    members: list[float] | None = None
    """The rewards that were combined."""

    steps: list[float | None] | None = None
    """The probability that each step is right; null where it was cut away."""

    attributes: dict[str, float] | None = None
    """What the reward was put together from."""

    rationale: str | None = None
    """What the model wrote."""

    n_tokens: int | None = None
    """Tokens that were read, after any cut."""

    truncated: bool | None = None
    """Whether it was cut to fit; left out where the family only counts."""

    probability: float | None = None
    """That it is better than the baseline: σ((reward − baseline) / T)."""


class ProvenanceReply(Reply):
    """Which weights and which rendering gave the scores."""

    model_digest: str
    template_digest: str


class RewardsUsage(Usage):
    """Tokens that were read, and how."""

    n_truncated: int
    """Texts that were cut to fit."""

    n_cached: int
    """Texts whose scores were known before."""


class RewardsReply(Reply):
    """The scores, in the order of the texts."""

    object: str
    model: str
    family: str
    rendering: str
    """`template`, or `as-is`."""

    provenance: ProvenanceReply
    data: list[ScoredText]
    baseline: Compared | None = None
    usage: RewardsUsage


_ANSWERED = [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "4"}]
_EXAMPLE = {
    "object": "rewards",
    "model": "helpful",
    "family": "single",
    "rendering": "template",
    "provenance": {"model_digest": "2c26b46b68ff", "template_digest": "fcde2b2edba5"},
    "data": [
        {"index": 0, "reward": 1.625, "n_tokens": 24, "truncated": False, "probability": 0.5},
        {"index": 1, "reward": -2.5, "n_tokens": 24, "truncated": False, "probability": 0.031},
    ],
    "baseline": {"reward": 1.625, "temperature": 1.2, "calibrated": True},
    "usage": {"prompt_tokens": 48, "total_tokens": 48, "completion_tokens": 0, "n_truncated": 0, "n_cached": 0},
}


@router.post("/v1/rewards", responses=scoring_responses(RewardsReply, _EXAMPLE), response_model_exclude_none=True)
async def rewards(
    request: Request,
    body: Annotated[
        RewardsRequest,
        Body(
            openapi_examples=examples(
                answers_to_one_prompt={"prompt": "What is 2 + 2?", "answers": ["4", "22"], "baseline": 0},
                conversations={"model": "helpful", "conversations": [_ANSWERED], "truncate": True},
                against_a_reward={"conversations": [_ANSWERED], "baseline": {"reward": 0.5}},
                rendered_texts={"texts": ["What is 2 + 2? 4"], "max_tokens": 512},
            )
        ),
    ],
) -> Response:
    """The scores of conversations, of answers to one prompt, or of rendered texts."""
    ask = _ask(body)
    beside = baseline_conversation(body.baseline, ask)
    if beside is not None:
        ask = _with(ask, beside)
    scored = await score(request, body.model, ask)
    rewards = scored.rewards
    comparison = None if body.baseline is None else compared(body.baseline, rewards, scored.model.temperature)
    shown = len(rewards) - (beside is not None)
    data = [_row(scored.answer, index) for index in range(shown)]
    reply = {
        "object": "rewards",
        "model": scored.model.name,
        "family": scored.model.family,
        "rendering": scored.rendering,
        "provenance": _provenance(scored),
    }
    if comparison is not None:
        data = [row | {"probability": comparison.probability(row["reward"])} for row in data]
        reply["baseline"] = comparison.as_json()
    counts = {"n_truncated": scored.answer.n_truncated, "n_cached": scored.answer.n_cached}
    return json_reply({**reply, "data": data, "usage": usage(scored) | counts})


def _ask(body: RewardsRequest) -> Ask:
    given = [name for name in ("conversations", "answers", "texts", "ids") if getattr(body, name) is not None]
    if len(given) != 1 or (body.prompt is not None) != (given == ["answers"]):
        raise DataError(
            "one request scores one kind of thing",
            wanted="conversations, or prompt and answers, or texts, or ids",
            got=", ".join([*given, *(["prompt"] if body.prompt is not None else [])]) or "none of them",
            where=given[0] if given else "conversations",
        )
    return Ask(
        conversations=_conversations(body),
        texts=tuple(body.texts or ()),
        ids=tuple(map(tuple, body.ids or ())),
        truncate=body.truncate,
        max_tokens=body.max_tokens,
    )


def _conversations(body: RewardsRequest) -> tuple[Conversation, ...]:
    if body.conversations is not None:
        return tuple(
            conversation_of(messages, where=f"conversations.{index}")
            for index, messages in enumerate(body.conversations)
        )
    if body.answers is None or body.prompt is None:
        return ()
    before = (user(body.prompt),) if isinstance(body.prompt, str) else conversation_so_far(body.prompt)
    return tuple((*before, assistant(answer)) for answer in body.answers)


def _with(ask: Ask, conversation: Conversation) -> Ask:
    return Ask(conversations=(*ask.conversations, conversation), truncate=ask.truncate, max_tokens=ask.max_tokens)


def _provenance(scored: Scored) -> dict[str, str]:
    provenance = scored.answer.scores.provenance
    return {"model_digest": provenance.model_digest, "template_digest": provenance.template_digest}


def _row(answer: Answer, index: int) -> dict[str, Any]:
    """The scores of one text, without what there is not."""
    scores = answer.scores
    row: dict[str, Any] = {"index": index, "reward": float(scores.rewards[index])}
    if scores.spread is not None:
        row["spread"] = float(scores.spread[index])
    if scores.members is not None:
        row["members"] = scores.members[:, index].tolist()
    if scores.steps is not None:
        row["steps"] = scores.steps[index].tolist()
    if scores.attributes:
        row["attributes"] = {name: float(values[index]) for name, values in scores.attributes.items()}
    if scores.rationales is not None:
        row["rationale"] = scores.rationales[index]
    if answer.n_tokens:
        row["n_tokens"] = answer.n_tokens[index]
    if answer.cut:
        row["truncated"] = answer.cut[index]
    elif answer.n_truncated in (0, len(scores)):
        row["truncated"] = answer.n_truncated > 0
    return row
