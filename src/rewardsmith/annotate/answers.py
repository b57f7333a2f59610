"""Answers: what a rater says of a task, always in the task's own order of responses, never in the order shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from rewardsmith.core.errors import DataError

if TYPE_CHECKING:
    from rewardsmith.annotate.settings import ProjectSettings
    from rewardsmith.annotate.tasks import Task

TaskKind = Literal["pair", "ranking", "attributes", "first_error"]
Side = Literal["first", "second", "tie"]
SIDES: tuple[Side, ...] = get_args(Side)


@dataclass(frozen=True, slots=True)
class PairAnswer:
    """Which of two responses is better.

    Attributes:
        choice: The overall vote; `None` where a project asks by axis only.
        axes: Axis → vote, for each axis that the project asks.
    """

    choice: Side | None
    axes: Mapping[str, Side] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RankingAnswer:
    """How K responses stand: `ranks[i]` is the rank of response i, 1 is the best, ties share a rank."""

    ranks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AttributesAnswer:
    """Attribute → whole number on that attribute's scale."""

    values: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class FirstErrorAnswer:
    """The first wrong step of a solution, from 0; `None` says that no step is wrong."""

    step: int | None


Answer = PairAnswer | RankingAnswer | AttributesAnswer | FirstErrorAnswer

_TYPES: dict[TaskKind, type[Answer]] = {
    "pair": PairAnswer,
    "ranking": RankingAnswer,
    "attributes": AttributesAnswer,
    "first_error": FirstErrorAnswer,
}
_WANTED: dict[TaskKind, str] = {
    "pair": '{"choice": "first", "second", "tie" or null, "axes": {axis: "first", "second" or "tie"}}',
    "ranking": '{"ranks": [whole numbers]}',
    "attributes": '{"values": {attribute: whole number}}',
    "first_error": '{"step": a whole number or null}',
}


def answer_to_dict(answer: Answer) -> dict[str, Any]:
    """The answer as JSON has it; `answer_from_dict` gives it back."""
    match answer:
        case PairAnswer(choice, axes):
            return {"choice": choice, "axes": dict(axes)}
        case RankingAnswer(ranks):
            return {"ranks": list(ranks)}
        case AttributesAnswer(values):
            return {"values": dict(values)}
        case FirstErrorAnswer(step):
            return {"step": step}


def answer_from_dict(kind: TaskKind, value: Any) -> Answer:
    """The answer to a task of this kind that `value` holds, as JSON has it.

    Raises:
        DataError: `value` has another shape, an unknown key or a vote that is none. Whether it fits a task is for
            `require_fits` to say.
    """
    match kind, value:
        case "pair", {**entries} if _has(entries, "choice", "axes") and _is_pair(entries):
            return PairAnswer(entries.get("choice"), dict(entries.get("axes") or {}))
        case "ranking", {"ranks": list(ranks), **others} if not others and all(_is_whole(rank) for rank in ranks):
            return RankingAnswer(tuple(ranks))
        case "attributes", {"values": dict(values), **others} if not others and _are_ratings(values):
            return AttributesAnswer(dict(values))
        case "first_error", {"step": step, **others} if not others and (step is None or _is_whole(step)):
            return FirstErrorAnswer(step)
        case _:
            raise DataError(
                f"not an answer to a task of kind {kind}", wanted=_WANTED[kind], got=value, fix="send it in that form"
            )


def require_fits(answer: Answer, task: Task, project: ProjectSettings) -> None:
    """That `answer` says what the project asks of `task`: all of it, and nothing else.

    Raises:
        DataError: It does not.
    """
    if not isinstance(answer, _TYPES[task.kind]):
        raise _misfit(task, wanted=_TYPES[task.kind].__name__, got=answer)
    match answer:
        case PairAnswer(choice, axes):
            _require_pair(choice, axes, task, project)
        case RankingAnswer(ranks):
            n = len(task.responses)
            if len(ranks) != n or not all(_is_whole(rank) and 1 <= rank <= n for rank in ranks) or min(ranks) != 1:
                raise _misfit(task, wanted=f"{n} ranks from 1 (the best) to {n}, ties share one", got=list(ranks))
        case AttributesAnswer(values):
            _require_ratings(values, task, project)
        case FirstErrorAnswer(step):
            last = len(task.steps) - 1
            if step is not None and not (_is_whole(step) and 0 <= step <= last):
                raise _misfit(task, wanted=f"a step from 0 to {last}, or none", got=step)


def _require_pair(choice: Side | None, axes: Mapping[str, Side], task: Task, project: ProjectSettings) -> None:
    if project.overall and choice not in SIDES:
        raise _misfit(task, wanted="an overall vote: first, second or tie", got=choice)
    if not project.overall and choice is not None:
        raise _misfit(task, wanted="no overall vote, the project asks by axis only", got=choice)
    if set(axes) != set(project.axes) or any(side not in SIDES for side in axes.values()):
        wanted = f"a vote on each of {', '.join(project.axes)}" if project.axes else "no votes by axis"
        raise _misfit(task, wanted=wanted, got=dict(axes))


def _require_ratings(values: Mapping[str, int], task: Task, project: ProjectSettings) -> None:
    if set(values) != set(project.attributes):
        raise _misfit(task, wanted=f"a value for each of {', '.join(project.attributes)}", got=dict(values))
    for name, (low, high) in project.attributes.items():
        if not (_is_whole(values[name]) and low <= values[name] <= high):
            raise _misfit(task, wanted=f"{name} from {low} to {high}", got=values[name])


def _misfit(task: Task, *, wanted: str, got: object) -> DataError:
    return DataError(
        "the answer does not fit the task", wanted=wanted, got=got, where=f"task {task.id}", fix="answer it again"
    )


def _has(entries: Mapping[Any, Any], *keys: str) -> bool:
    return bool(entries) and all(key in keys for key in entries)


def _is_pair(entries: Mapping[Any, Any]) -> bool:
    choice, axes = entries.get("choice"), entries.get("axes") or {}
    if not (choice is None or choice in SIDES) or not isinstance(axes, dict):
        return False
    return all(isinstance(axis, str) and side in SIDES for axis, side in axes.items())


def _are_ratings(values: Mapping[Any, Any]) -> bool:
    return all(isinstance(name, str) and _is_whole(value) for name, value in values.items())


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
