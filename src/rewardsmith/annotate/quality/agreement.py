"""Do the raters say the same, by each question, and in which slices less?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rewardsmith.annotate.quality.items import OPPOSITE, Item, counted, has_sides, items_of, questions_of
from rewardsmith.annotate.quality.lengths import shown_words
from rewardsmith.annotate.tasks import Task
from rewardsmith.annotate.votes import Origin, Vote
from rewardsmith.core.finding import Estimate
from rewardsmith.numerics.agreement import alpha_bootstrap, raw_agreement
from rewardsmith.numerics.fleiss import fleiss_kappa, label_counts, opposite_columns
from rewardsmith.numerics.rating_agreement import rating_alpha

ALL = "all"
_FEWEST_ITEMS = 5
_DRAWS = 200
_SAID = {"first": "chosen", "second": "rejected"}

Level = Literal["nominal", "ordinal"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How much the raters agree on one question, in one slice of the tasks.

    Attributes:
        question: `overall`, an axis or an attribute.
        part: `all`, or what the slice has in common, such as `source: hh`.
        level: `ordinal` where labels are numbers on a scale: then 4 against 5 is less of a quarrel than 1 against 5.
        alpha: Krippendorff's α.
        kappa: Fleiss' κ; of numbers too it asks for the same one.
        raw: Share of the pairs of raters of an item who say the same, without correction for chance.
        items: Items with two votes or more.
        votes: Votes on these.
        raters: How many cast them.
    """

    question: str
    part: str
    level: Level
    alpha: Estimate
    kappa: Estimate
    raw: Estimate
    items: int
    votes: int
    raters: int


def measure_agreement(
    votes: Sequence[Vote], tasks: Mapping[str, Task], *, origin: Origin | None = "human", seed: int = 0
) -> tuple[Agreement, ...]:
    """Agreement on each question over all tasks, then by slice: source, length, and version of the guidelines.

    Items with one vote say nothing; a slice with fewer than five others is left out. Sides have no order of their own,
    so each comparison counts in both (see `numerics.agreement`). Intervals draw prompt groups.

    Args:
        origin: Of humans only unless asked otherwise: judges that copy each other are no second opinion.
    """
    opinions = counted(votes, origin=origin)
    rows = []
    for part, some in [(ALL, opinions), *_slices(opinions, tasks)]:
        items = [item for item in items_of(some, tasks) if len(item.labels) >= 2]
        for question in questions_of(items):
            asked = [item for item in items if item.question == question]
            if part == ALL or len(asked) >= _FEWEST_ITEMS:
                rows.append(agreement_on(asked, question=question, part=part, seed=seed))
    return tuple(rows)


def agreement_on(items: Sequence[Item], *, question: str, part: str = ALL, seed: int = 0) -> Agreement:
    """Agreement on these items, all of one question and with two labels or more."""
    labels, groups, sided = [item.labels for item in items], [item.group for item in items], has_sides(items)
    names = sorted({label for each in labels for label in each} | (set(OPPOSITE) if sided else set()))
    scale = _numbers(items)
    return Agreement(
        question=question,
        part=part,
        level="nominal" if scale is None else "ordinal",
        alpha=_nominal_alpha(labels, groups, sided=sided, seed=seed)
        if scale is None
        else rating_alpha(scale, groups, seed=seed),
        kappa=fleiss_kappa(
            label_counts(labels, labels=names),
            groups,
            opposite=opposite_columns(names, OPPOSITE) if sided else None,
            seed=seed,
        ),
        raw=raw_agreement(labels, groups, seed=seed),
        items=len(items),
        votes=sum(map(len, labels)),
        raters=len({rater for item in items for rater in item.raters}),
    )


def _nominal_alpha(labels: Sequence[Sequence[str]], groups: Sequence[str], *, sided: bool, seed: int) -> Estimate:
    """α as `numerics.agreement` has it, in whose words a side is chosen or rejected."""
    if not sided:
        return alpha_bootstrap(labels, groups, opposite={}, draws=_DRAWS, seed=seed)
    said = [[_SAID.get(label, label) for label in each] for each in labels]
    return alpha_bootstrap(said, groups, draws=_DRAWS, seed=seed)


def is_scale(items: Sequence[Item]) -> bool:
    """Whether the labels are numbers on a scale (an attribute's), rather than sides or steps."""
    return bool(items) and not has_sides(items) and items[0].question != "overall"


def _numbers(items: Sequence[Item]) -> list[list[int]] | None:
    return [[int(label) for label in item.labels] for item in items] if is_scale(items) else None


def _slices(votes: Sequence[Vote], tasks: Mapping[str, Task]) -> Iterator[tuple[str, list[Vote]]]:
    """The votes by what their tasks, or they themselves, have in common; one slice alone is the whole, and left out."""
    known = [vote for vote in votes if vote.task in tasks]
    words = {name: shown_words(tasks[name]) for name in {vote.task for vote in known}}
    middle = float(np.median(list(words.values()))) if words else 0.0
    kinds = {
        "source": {vote.id: tasks[vote.task].source or "unnamed" for vote in known},
        "length": {
            vote.id: f"over {middle:.0f} words" if words[vote.task] > middle else f"up to {middle:.0f} words"
            for vote in known
        },
        "guidelines": {vote.id: f"version {vote.guidelines}" for vote in known},
    }
    for kind, values in kinds.items():
        names = sorted(set(values.values()))
        if len(names) > 1:
            for name in names:
                yield f"{kind}: {name}", [vote for vote in known if values[vote.id] == name]
