"""Small tasks and votes by hand."""

from __future__ import annotations

from collections.abc import Sequence

from rewardsmith.annotate.answers import Answer, FirstErrorAnswer, PairAnswer, RankingAnswer, Side
from rewardsmith.annotate.tasks import Task, TaskKind
from rewardsmith.annotate.votes import Origin, Vote
from rewardsmith.core.conversation import assistant, user


def task(
    name: str,
    *,
    kind: TaskKind = "pair",
    responses: Sequence[str] = ("short", "rather longer"),
    steps: Sequence[str] = (),
    gold: Answer | None = None,
    group: str = "",
    source: str = "made",
) -> Task:
    """A task of plain texts."""
    return Task(
        id=name,
        kind=kind,
        prompt=(user(f"Prompt of {name}"),),
        responses=tuple((assistant(text),) for text in responses),
        steps=tuple(steps),
        gold=gold,
        group=group,
        source=source,
    )


def vote(
    task_id: str,
    rater: str,
    answer: Answer | Side | tuple[int, ...] | int | None,
    *,
    shown: tuple[int, ...] = (0, 1),
    time: float = 0.0,
    seconds: float = 10.0,
    repeat: bool = False,
    gold: bool = False,
    adjudication: bool = False,
    origin: Origin = "human",
    guidelines: int = 1,
) -> Vote:
    """A vote; a bare side is a pair's overall vote, a tuple a ranking, a number a first wrong step."""
    return Vote(
        id=f"{task_id}-{rater}-{time}-{repeat}",
        project="made",
        task=task_id,
        rater=rater,
        answer=_answer(answer),
        shown=shown,
        guidelines=guidelines,
        seconds=seconds,
        time=time,
        repeat=repeat,
        gold=gold,
        origin=origin,
        adjudication=adjudication,
    )


def pair_votes(labels: str, task_id: str = "t") -> list[Vote]:
    """`"1 2 t -"`: votes of raters r0, r1, … for the first, the second, neither, and a skip."""
    words: dict[str, Side | None] = {"1": "first", "2": "second", "t": "tie", "-": None}
    return [vote(task_id, f"r{place}", words[word], time=place) for place, word in enumerate(labels.split())]


def _answer(said: Answer | str | tuple[int, ...] | int | None) -> Answer | None:
    match said:
        case "first" | "second" | "tie":
            return PairAnswer(said)
        case int():
            return FirstErrorAnswer(said)
        case tuple():
            return RankingAnswer(said)
        case str():
            raise ValueError(said)
        case _:
            return said
