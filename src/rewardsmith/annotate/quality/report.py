"""Everything that is known of a project's votes, as one value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from rewardsmith.annotate.answers import TaskKind
from rewardsmith.annotate.quality.aggregate import aggregate
from rewardsmith.annotate.quality.agreement import Agreement, measure_agreement
from rewardsmith.annotate.quality.disputes import is_disputed
from rewardsmith.annotate.quality.flags import FlagLimits
from rewardsmith.annotate.quality.habits import first_place, longer_overall
from rewardsmith.annotate.quality.items import counted, has_sides, items_of, questions_of
from rewardsmith.annotate.quality.over_time import Window, agreement_over_time
from rewardsmith.annotate.quality.raters import RaterQuality, measure_raters
from rewardsmith.annotate.raters import Rater
from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.tasks import Task
from rewardsmith.annotate.votes import Vote
from rewardsmith.core.finding import Estimate


@dataclass(frozen=True, slots=True)
class LabelBias:
    """What the humans' labels follow beside quality, all raters together.

    Attributes:
        first_place: Share of decided comparisons that went to the response shown earlier; ½ is right.
        longer: Share that went to the longer response; longer ones may well be better.
    """

    first_place: Estimate
    longer: Estimate


@dataclass(frozen=True, slots=True)
class Methods:
    """What it matters how several votes become one label.

    Attributes:
        question: The labels' question.
        items: Items with two human votes or more.
        differ: Of these, where Dawid–Skene finds another side more probable than most raters do.
        settled: Of these, where as many raters are for one side as for the other, and Dawid–Skene finds one of them
            more probable.
        unsure: Of these, where Dawid–Skene gives neither side .75 (a tie counts half for each).
    """

    question: str
    items: int
    differ: int
    settled: int
    unsure: int


@dataclass(frozen=True, slots=True)
class QualityReport:
    """What the votes of a project are worth.

    Attributes:
        project: Its name.
        title: What pages call it.
        kind: What its tasks ask.
        overlap: Votes that each task is to have.
        counts: `tasks`, `voted` (tasks with a counted vote), `votes` (counted ones), `skips`, `repeats`, `tests`,
            `adjudications`, `judged` (counted votes of judges), `raters`, `disputed`.
        agreement: By question, over all and by slice; of humans.
        raters: One a rater.
        over_time: Agreement on the first question in stretches of time.
        bias: What the labels follow beside quality.
        methods: Majority against Dawid–Skene; absent where there are no sides to choose from.
        disputed: Ids of the tasks without a clear majority.
    """

    project: str
    title: str
    kind: TaskKind
    overlap: int
    counts: Mapping[str, int]
    agreement: tuple[Agreement, ...]
    raters: tuple[RaterQuality, ...]
    over_time: tuple[Window, ...]
    bias: LabelBias
    methods: Methods | None
    disputed: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON has it; NaN becomes null."""
        return _plain(self)


def quality_report(
    settings: ProjectSettings,
    votes: Sequence[Vote],
    tasks: Mapping[str, Task],
    *,
    raters: Mapping[str, Rater] | None = None,
    limits: FlagLimits | None = None,
    seed: int = 0,
) -> QualityReport:
    """Measure everything; a project without votes gives empty tables.

    Args:
        votes: All that stand, of every origin.
        tasks: By id.
        raters: By id, for their names.
        limits: When a rater gets a flag.
    """
    humans = [vote for vote in votes if vote.origin == "human"]
    free = [vote for vote in humans if not vote.adjudication]
    disputed = tuple(name for name, own in _by_task(votes).items() if name in tasks and is_disputed(own, settings))
    measured = measure_raters(votes, tasks, raters, limits=limits, seed=seed)
    return QualityReport(
        project=settings.name,
        title=settings.title or settings.name,
        kind=settings.kind,
        overlap=settings.overlap,
        counts=_counts(votes, tasks, raters=len(measured), disputed=len(disputed)),
        agreement=measure_agreement(votes, tasks, seed=seed),
        raters=measured,
        over_time=agreement_over_time(votes, tasks, seed=seed),
        bias=LabelBias(first_place(free, tasks, seed=seed), longer_overall(counted(humans), tasks, seed=seed)),
        methods=_methods(votes, tasks),
        disputed=disputed,
    )


def _by_task(votes: Sequence[Vote]) -> dict[str, list[Vote]]:
    found: dict[str, list[Vote]] = {}
    for vote in votes:
        found.setdefault(vote.task, []).append(vote)
    return found


def _counts(votes: Sequence[Vote], tasks: Mapping[str, Task], *, raters: int, disputed: int) -> dict[str, int]:
    opinions = counted(votes)
    return {
        "tasks": len(tasks),
        "voted": len({vote.task for vote in opinions}),
        "votes": sum(vote.origin == "human" for vote in opinions),
        "judged": sum(vote.origin == "judge" for vote in opinions),
        "skips": sum(vote.answer is None for vote in votes),
        "repeats": sum(vote.repeat for vote in votes),
        "tests": sum(vote.gold for vote in votes),
        "adjudications": sum(vote.adjudication for vote in votes),
        "raters": raters,
        "disputed": disputed,
    }


def _methods(votes: Sequence[Vote], tasks: Mapping[str, Task]) -> Methods | None:
    items = [item for item in items_of(counted(votes, origin="human"), tasks) if len(item.labels) >= 2]
    if not items or not has_sides(items):
        return None
    question = questions_of(items)[0]
    asked = [item for item in items if item.question == question]
    by_count, by_skill = aggregate(asked, "majority"), aggregate(asked, "dawid-skene")
    # Above 0 for the first side, below for the second; a hair's breadth is neither.
    by_votes, by_model = ([round(label.prob_first - 0.5, 9) for label in each.labels] for each in (by_count, by_skill))
    both = list(zip(by_votes, by_model, strict=True))
    return Methods(
        question=question,
        items=len(asked),
        differ=sum(one * other < 0 for one, other in both),
        settled=sum(one == 0 and other != 0 for one, other in both),
        unsure=sum(abs(other) < 0.25 for other in by_model),
    )


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
