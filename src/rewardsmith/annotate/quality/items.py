"""What several raters said of one thing: votes as rows of labels, the form in which agreement and labels are computed.

A pair with three axes is three items; a ranking of four answers is its six comparisons; a response rated by five
attributes is five items; the first wrong step is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from rewardsmith.annotate.answers import Answer, AttributesAnswer, FirstErrorAnswer, PairAnswer, RankingAnswer
from rewardsmith.annotate.tasks import Task
from rewardsmith.annotate.votes import Origin, Vote

OVERALL = "overall"
"""The question of a pair's overall vote, of a ranking, and of a first wrong step."""

OPPOSITE: Mapping[str, str] = {"first": "second", "second": "first"}
"""What a vote for a side becomes when the sides change places."""

NO_ERROR = "none"
"""Label of a solution without a wrong step; the others are the steps' numbers."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was judged.

    Attributes:
        task: Id of the task.
        group: Prompt group, the unit of intervals; the task's id where it has none.
        question: `overall`, an axis or an attribute.
        labels: What was said: `first`, `second`, `tie`; a number; a step or `none`. One a rater, in order of time.
        raters: Ids of the raters, parallel to `labels`.
        sides: The two responses that were compared.
    """

    task: str
    group: str
    question: str
    labels: tuple[str, ...]
    raters: tuple[str, ...]
    sides: tuple[int, int] = (0, 1)


def counted(votes: Iterable[Vote], *, origin: Origin | None = None) -> list[Vote]:
    """The votes that count as opinions: of each rater the first on each task, in order of time.

    Skips, blind repeats, tests with a known answer and adjudications are no opinions beside the others'.

    Args:
        origin: Of humans or of judges only; all where absent.
    """
    first: dict[tuple[str, str], Vote] = {}
    for vote in sorted(votes, key=lambda each: (each.time, each.id)):
        plain = vote.answer is not None and not (vote.repeat or vote.gold or vote.adjudication)
        if plain and origin in (None, vote.origin):
            first.setdefault((vote.task, vote.rater), vote)
    return list(first.values())


def items_of(votes: Sequence[Vote], tasks: Mapping[str, Task]) -> list[Item]:
    """The items of these votes; votes on tasks that are not among `tasks` are left out."""
    said: dict[tuple[str, str, tuple[int, int]], tuple[list[str], list[str]]] = {}
    for vote in votes:
        if vote.answer is None or vote.task not in tasks:
            continue
        for question, sides, label in opinions(vote.answer):
            labels, raters = said.setdefault((vote.task, question, sides), ([], []))
            labels.append(label)
            raters.append(vote.rater)
    return [
        Item(task, tasks[task].group or task, question, tuple(labels), tuple(raters), sides)
        for (task, question, sides), (labels, raters) in said.items()
    ]


def opinions(answer: Answer) -> Iterator[tuple[str, tuple[int, int], str]]:
    """Question, sides and label of everything that an answer says."""
    match answer:
        case PairAnswer(choice, axes):
            if choice is not None:
                yield OVERALL, (0, 1), choice
            for axis, side in axes.items():
                yield axis, (0, 1), side
        case RankingAnswer(ranks):
            for one, other in combinations(range(len(ranks)), 2):
                yield OVERALL, (one, other), _side(ranks[one], ranks[other])
        case AttributesAnswer(values):
            for name, value in values.items():
                yield name, (0, 0), str(value)
        case FirstErrorAnswer(step):
            yield OVERALL, (0, 0), NO_ERROR if step is None else str(step)


def questions_of(items: Iterable[Item]) -> list[str]:
    """The questions in order of their first appearance, `overall` first."""
    names = list(dict.fromkeys(item.question for item in items))
    return sorted(names, key=lambda name: name != OVERALL)


def has_sides(items: Sequence[Item]) -> bool:
    """Whether the items compare two responses, rather than judge one."""
    return bool(items) and items[0].sides[0] != items[0].sides[1]


def _side(one: int, other: int) -> str:
    if one == other:
        return "tie"
    return "first" if one < other else "second"
