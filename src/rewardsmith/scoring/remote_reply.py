"""What a reward server says, held against what was asked: one finite reward a text, or an error."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from jaxtyping import Float32

from rewardsmith.core import errors
from rewardsmith.core.errors import RewardsmithError, ServingError, shorten
from rewardsmith.core.scores import Provenance, Scores, joined
from rewardsmith.scoring.tries import Received


@dataclass(frozen=True, slots=True)
class RemoteReply:
    """The scores of one request.

    Attributes:
        n_truncated: Texts that were cut to fit.
    """

    scores: Scores
    n_truncated: int


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """A model that a server has.

    Attributes:
        name: What requests say in `model`.
        provenance: Absent where it is not loaded yet.
        is_relative: Its rewards compare the answers of one request.
    """

    name: str
    provenance: Provenance | None
    is_relative: bool


def parse_rewards(content: bytes, *, n_texts: int, where: str) -> RemoteReply:
    """The scores in a reply of `/v1/rewards`.

    Args:
        n_texts: Texts that were sent.
        where: URL, for the error.

    Raises:
        ServingError: It is no such reply, holds the rewards of another number of texts or in another order, or one of
            them is not a finite number.
    """
    values = _mapping(content, where)
    try:
        rows, provenance = values["data"], Provenance(**values["provenance"])
        numbers = [row["index"] for row in rows]
        rewards = _floats([row["reward"] for row in rows])
        n_truncated = int(values["usage"]["n_truncated"])
        beside = _beside(rows) if rows else {}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _no_rewards(f"{type(error).__name__}: {error}", content, where) from error
    if numbers != list(range(n_texts)):
        raise ServingError(
            "the server gives the rewards of other texts than were sent",
            wanted=f"rewards 0 to {n_texts - 1}",
            got=f"{len(rows)} rewards, numbers {shorten(numbers, 80)}",
            where=where,
        )
    unusable = [number for number, reward in enumerate(rewards) if not math.isfinite(reward)]
    if unusable:
        raise ServingError(
            "the server gives no reward for a text",
            wanted="a finite number",
            got=f"{rows[unusable[0]]['reward']} for text {unusable[0]} of {n_texts}",
            where=where,
            fix="of a judge: send an answer with its rivals; of a model: see the server's log",
        )
    return RemoteReply(Scores(rewards, provenance, **beside), n_truncated)


def parse_models(content: bytes, *, where: str) -> tuple[RemoteModel, ...]:
    """The models in a reply of `/v1/models`; the first one is the default.

    Raises:
        ServingError: It is no such reply.
    """
    values = _mapping(content, where)
    try:
        return tuple(RemoteModel(each["id"], _provenance(each), bool(each.get("relative"))) for each in values["data"])
    except (KeyError, TypeError, AttributeError) as error:
        raise _no_rewards(f"{type(error).__name__}: {error}", content, where) from error


def parse_refusal(came: Received, counted: str, *, where: str, shown: Callable[[str], str]) -> RewardsmithError:
    """The error that a reply other than 200 tells: of our own envelope the same class with the same words, else one
    with the beginning of the body.

    Args:
        counted: How many tries there were.
        shown: What takes a key out of a text, should a server repeat it.
    """
    said = _envelope(came.content)
    kind = getattr(errors, str(said.get("type")), ServingError)
    if not (isinstance(kind, type) and issubclass(kind, RewardsmithError)):
        kind = ServingError
    told = {name: shown(str(said[name])) for name in ("wanted", "got", "where", "fix") if said.get(name) is not None}
    inside = told.pop("where", None)
    problem = shown(str(said["message"])) if said.get("message") else "the reward server refuses"
    if "message" not in said:
        told["got"] = shown(shorten(came.content.decode("utf-8", "replace"))) or "an empty body"
    return kind(
        f"{problem} (status {came.status}, {counted})",
        where=f"{where}: {inside}" if inside else where,
        **told,
    )


def join_replies(replies: Sequence[RemoteReply], *, where: str) -> RemoteReply:
    """Replies to parts of one call, as one.

    Raises:
        ServingError: They are not of one model, or not of one kind.
    """
    scores = [reply.scores for reply in replies]
    if not is_one_model(replies):
        raise ServingError(
            "the model changed between two requests of one call",
            wanted="the scores of one model",
            got=", ".join(sorted({each.provenance.model_digest[:12] for each in scores})),
            where=where,
            fix="score again",
        )
    if len({_kind(each) for each in scores}) > 1:
        raise ServingError(
            "the server gives scores of different kinds",
            wanted="what the first texts have",
            got=" and ".join(sorted({", ".join(_kind(each)) or "rewards only" for each in scores})),
            where=where,
        )
    return RemoteReply(joined(scores), sum(reply.n_truncated for reply in replies))


def is_one_model(replies: Sequence[RemoteReply]) -> bool:
    """Whether all replies are of the same weights and template."""
    return len({reply.scores.provenance for reply in replies}) == 1


def _kind(scores: Scores) -> tuple[str, ...]:
    """What stands beside the rewards."""
    given = [name for name in ("spread", "steps", "rationales") if getattr(scores, name) is not None]
    members = [] if scores.members is None else [f"{len(scores.members)} members"]
    return (*given, *members, *sorted(scores.attributes))


def _mapping(content: bytes, where: str) -> Mapping[str, Any]:
    try:
        values = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise _no_rewards(str(error), content, where) from error
    if not isinstance(values, dict):
        raise _no_rewards(f"a JSON {type(values).__name__}", content, where)
    return values


def _beside(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What stands beside the rewards; what the first text has, all must have."""
    first, beside = rows[0], {}
    if first.get("spread") is not None:
        beside["spread"] = _floats([row["spread"] for row in rows])
    if first.get("members") is not None:
        beside["members"] = np.stack([_floats(row["members"]) for row in rows], axis=1)
    if first.get("steps") is not None:
        beside["steps"] = tuple(_floats(row["steps"]) for row in rows)
    if first.get("attributes") is not None:
        beside["attributes"] = {
            name: _floats([row["attributes"][name] for row in rows]) for name in first["attributes"]
        }
    if first.get("rationale") is not None:
        beside["rationales"] = tuple(str(row["rationale"]) for row in rows)
    return beside


def _floats(values: Sequence[Any]) -> Float32[np.ndarray, " value"]:
    """Numbers as float32; null is NaN.

    Raises:
        TypeError: One of them is neither.
    """
    for value in values:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise TypeError(f"wanted a number, got {value!r}")
    with np.errstate(over="ignore"):
        return np.array([math.nan if value is None else value for value in values], dtype=np.float64).astype(np.float32)


def _provenance(model: Mapping[str, Any]) -> Provenance | None:
    digest, template = model.get("model_digest"), model.get("template_digest")
    return Provenance(digest, template) if isinstance(digest, str) and isinstance(template, str) else None


def _envelope(content: bytes) -> Mapping[str, Any]:
    try:
        said = orjson.loads(content)["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
        return {}
    return said if isinstance(said, dict) else {}


def _no_rewards(problem: str, content: bytes, where: str) -> ServingError:
    return ServingError(
        "the reply is not that of a reward server",
        wanted="a reply of `rewardsmith serve`",
        got=f"{problem}: {content[:200].decode('utf-8', 'replace')}",
        where=where,
        fix="check the URL",
    )
