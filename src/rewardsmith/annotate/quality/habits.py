"""Habits that need no reference answer: the place, the length, the pace."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float64

from rewardsmith.annotate.quality.items import Item, items_of, opinions
from rewardsmith.annotate.quality.lengths import response_characters, shown_words
from rewardsmith.annotate.tasks import Task
from rewardsmith.annotate.votes import Vote
from rewardsmith.core.finding import Estimate
from rewardsmith.numerics.intervals import empty_estimate, group_bootstrap, moment_bootstrap, share_bootstrap

# Nobody reads faster: 15 words a second are 900 a minute, where skimming ends.
_MOST_WORDS_PER_S = 15.0
# To look, to think and to press a key, in words.
_SETTLING_WORDS = 10.0


def first_place(votes: Sequence[Vote], tasks: Mapping[str, Task], *, seed: int = 0) -> Estimate:
    """Share of the decided comparisons that went to the response shown earlier. Sides are shown in random order, so
    that ½ is right, however good or bad the rater is."""
    credits, groups = [], []
    for vote in votes:
        if vote.answer is None or vote.task not in tasks or len(vote.shown) < 2:
            continue
        place = {response: at for at, response in enumerate(vote.shown)}
        for _, (one, other), label in opinions(vote.answer):
            if one != other and label != "tie":
                credits.append(float((place[one] < place[other]) == (label == "first")))
                groups.append(tasks[vote.task].group or vote.task)
    return share_bootstrap(np.array(credits), groups, seed=seed) if credits else empty_estimate()


def longer_share(items: Sequence[Item], tasks: Mapping[str, Task], rater: str, *, seed: int = 0) -> Estimate:
    """Share of the rater's decided comparisons that went to the longer response. Longer ones may well be better."""
    credits, groups = [], []
    for item, own, longer, _ in _compared_lengths(items, tasks, rater):
        credits.append(float(own == longer))
        groups.append(item.group)
    return share_bootstrap(np.array(credits), groups, seed=seed) if credits else empty_estimate()


def longer_overall(votes: Sequence[Vote], tasks: Mapping[str, Task], *, seed: int = 0) -> Estimate:
    """The same share over the votes of all raters."""
    credits, groups = [], []
    for item in items_of(votes, tasks):
        longer = _longer_side(item, tasks)
        for label in item.labels if longer is not None else ():
            if label != "tie":
                credits.append(float(label == longer))
                groups.append(item.group)
    return share_bootstrap(np.array(credits), groups, seed=seed) if credits else empty_estimate()


def longer_preference(items: Sequence[Item], tasks: Mapping[str, Task], rater: str, *, seed: int = 0) -> Estimate:
    """The same, half from items whose other raters prefer the longer response and half from the others.

    An unbiased rater's errors go both ways alike, so that ½ is right even where longer responses are mostly better
    and however good the rater is. The other raters' errors leave a rest: where four of five longer responses are
    better, up to .63 is innocent, which is why a flag is also held against the raters' median. NaN where other raters
    never prefer the one, or never the other.
    """
    rows, groups = [], []
    for item, own, longer, others in _compared_lengths(items, tasks, rater):
        lean = sum(1 if label == longer else -1 for label in others if label != "tie")
        if lean:
            chose, agreed = float(own == longer), float(lean > 0)
            rows.append([chose * agreed, agreed, chose * (1 - agreed), 1 - agreed])
            groups.append(item.group)
    if not rows:
        return empty_estimate()
    return moment_bootstrap(np.array(rows), groups, statistic=_balanced, seed=seed)


def pace(votes: Sequence[Vote], tasks: Mapping[str, Task], *, seed: int = 0) -> Estimate:
    """Median over votes of log(seconds / (words shown + 10)); a vote without a time is left out."""
    values, groups = [], []
    for vote in votes:
        if vote.task in tasks and vote.seconds > 0:
            values.append(math.log(vote.seconds / (shown_words(tasks[vote.task]) + _SETTLING_WORDS)))
            groups.append(tasks[vote.task].group or vote.task)
    if not values:
        return empty_estimate()
    return group_bootstrap(np.array(values), groups, statistic=np.median, draws=400, seed=seed)


def hasty_share(votes: Sequence[Vote], tasks: Mapping[str, Task]) -> float:
    """Share of the votes that came sooner than the texts can be read, at 15 words a second; NaN without times."""
    timed = [vote for vote in votes if vote.task in tasks and vote.seconds > 0]
    if not timed:
        return math.nan
    hasty = sum(vote.seconds < shown_words(tasks[vote.task]) / _MOST_WORDS_PER_S for vote in timed)
    return hasty / len(timed)


def _compared_lengths(
    items: Sequence[Item], tasks: Mapping[str, Task], rater: str
) -> list[tuple[Item, str, str, list[str]]]:
    """Item, the rater's own side, the longer side, and the others' labels, where the rater decided between two
    responses of different length."""
    rows = []
    for item in items:
        longer = _longer_side(item, tasks) if rater in item.raters else None
        if longer is None:
            continue
        at = item.raters.index(rater)
        if item.labels[at] != "tie":
            others = [label for place, label in enumerate(item.labels) if place != at]
            rows.append((item, item.labels[at], longer, others))
    return rows


def _longer_side(item: Item, tasks: Mapping[str, Task]) -> str | None:
    """Which of the two sides is longer; `None` where neither is."""
    one, other = (response_characters(tasks[item.task], side) for side in item.sides)
    if one == other:
        return None
    return "first" if one > other else "second"


def votes_by_rater(votes: Sequence[Vote]) -> dict[str, list[Vote]]:
    """Each rater's votes, in the order given."""
    by_rater: dict[str, list[Vote]] = defaultdict(list)
    for vote in votes:
        by_rater[vote.rater].append(vote)
    return dict(by_rater)


def _balanced(totals: Float64[np.ndarray, "draw 4"]) -> Float64[np.ndarray, " draw"]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return (totals[:, 0] / totals[:, 1] + totals[:, 2] / totals[:, 3]) / 2
