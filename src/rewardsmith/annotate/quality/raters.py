"""Rater by rater: how well they agree, what they prefer beside quality, how fast they are."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rewardsmith.annotate.quality.agreement import is_scale
from rewardsmith.annotate.quality.coefficient import Compared, beyond_chance, same_share
from rewardsmith.annotate.quality.flags import Flag, FlagKind, FlagLimits, find_flags
from rewardsmith.annotate.quality.habits import (
    first_place,
    hasty_share,
    longer_preference,
    longer_share,
    pace,
    votes_by_rater,
)
from rewardsmith.annotate.quality.items import Item, counted, has_sides, items_of, opinions
from rewardsmith.annotate.raters import Rater
from rewardsmith.annotate.tasks import Task
from rewardsmith.annotate.votes import Origin, Vote
from rewardsmith.core.finding import Estimate


@dataclass(frozen=True, slots=True)
class RaterQuality:
    """What the votes say of one rater. Estimates have `n = 0` where nothing could be measured.

    Attributes:
        rater: Id.
        name: What pages call them; the id where no name is known.
        origin: Human or judge.
        votes: Answers, tests and repeats included, skips not.
        skips: Tasks that were skipped.
        gold: Share of the tests with a known answer that were answered so.
        gold_beyond: The same beyond chance.
        others: Share of the other humans on the same items who say the same.
        others_beyond: The same beyond chance.
        repeats: Share of blind repeats that were answered as before.
        repeats_beyond: The same beyond chance.
        first_place: Share of decided comparisons that went to the response shown earlier; ½ is right.
        longer: Share of decided comparisons that went to the longer response.
        longer_preference: The same with the others' verdict held equal; ½ is right.
        seconds: Median seconds a vote; NaN where unknown.
        pace: Median of the log of seconds a word.
        hasty: Share of the votes that came sooner than the texts can be read; NaN where unknown.
        flags: What needs a look.
    """

    rater: str
    name: str
    origin: Origin
    votes: int
    skips: int
    gold: Estimate
    gold_beyond: Estimate
    others: Estimate
    others_beyond: Estimate
    repeats: Estimate
    repeats_beyond: Estimate
    first_place: Estimate
    longer: Estimate
    longer_preference: Estimate
    seconds: float
    pace: Estimate
    hasty: float
    flags: tuple[Flag, ...] = ()


def measure_raters(
    votes: Sequence[Vote],
    tasks: Mapping[str, Task],
    raters: Mapping[str, Rater] | None = None,
    *,
    limits: FlagLimits | None = None,
    seed: int = 0,
) -> tuple[RaterQuality, ...]:
    """Every rater who cast a vote, in order of their ids, with flags.

    The others are humans: a judge is held against them, and never they against a judge. A judge's time is no pace.
    Adjudications, cast in sight of the other votes, are left out.

    Args:
        raters: By id, for their names.
        limits: When a flag is raised.
    """
    mine = votes_by_rater([vote for vote in votes if not vote.adjudication])
    items = items_of(counted(votes), tasks)
    by_rater: dict[str, list[Item]] = {}
    for item in items:
        for rater in item.raters:
            by_rater.setdefault(rater, []).append(item)
    humans = {rater for rater, own in mine.items() if own[0].origin == "human"}
    rows = [
        _measured(own, tasks, by_rater.get(rater, []), name=_name(rater, raters), humans=humans, seed=seed)
        for rater, own in sorted(mine.items())
    ]
    flags = find_flags({row.rater: _judged(row) for row in rows}, limits)
    return tuple(replace(row, flags=flags[row.rater]) for row in rows)


def _measured(
    votes: Sequence[Vote],
    tasks: Mapping[str, Task],
    items: Sequence[Item],
    *,
    name: str,
    humans: set[str],
    seed: int,
) -> RaterQuality:
    rater, answered = votes[0].rater, [vote for vote in votes if vote.answer is not None]
    peers = [_without(item, keep=humans | {rater}) for item in items]
    gold, others, repeats = _gold(answered, tasks), _others(peers, rater), _repeats(answered, tasks)
    times = [vote.seconds for vote in answered if vote.seconds > 0]
    human = votes[0].origin == "human"
    return RaterQuality(
        rater=rater,
        name=name,
        origin=votes[0].origin,
        votes=len(answered),
        skips=len(votes) - len(answered),
        gold=same_share(gold, seed=seed),
        gold_beyond=beyond_chance(gold, seed=seed),
        others=same_share(others, seed=seed),
        others_beyond=beyond_chance(others, seed=seed),
        repeats=same_share(repeats, seed=seed),
        repeats_beyond=beyond_chance(repeats, seed=seed),
        first_place=first_place(answered, tasks, seed=seed),
        longer=longer_share(peers, tasks, rater, seed=seed),
        longer_preference=longer_preference(peers, tasks, rater, seed=seed),
        seconds=statistics.median(times) if times else float("nan"),
        pace=pace(answered if human else [], tasks, seed=seed),
        hasty=hasty_share(answered if human else [], tasks),
    )


def _judged(row: RaterQuality) -> dict[FlagKind, Estimate]:
    return {
        "agreement": row.others_beyond,
        "gold": row.gold_beyond,
        "consistency": row.repeats_beyond,
        "position": row.first_place,
        "length": row.longer_preference,
        "speed": row.pace,
    }


def _name(rater: str, raters: Mapping[str, Rater] | None) -> str:
    known = (raters or {}).get(rater)
    return known.name if known is not None and known.name else rater


def _without(item: Item, *, keep: set[str]) -> Item:
    """The item with the labels of these raters only."""
    kept = [(label, rater) for label, rater in zip(item.labels, item.raters, strict=True) if rater in keep]
    return replace(item, labels=tuple(label for label, _ in kept), raters=tuple(rater for _, rater in kept))


def _others(items: Sequence[Item], rater: str) -> list[Compared]:
    rows = []
    for item in items:
        at = item.raters.index(rater)
        others = tuple(label for place, label in enumerate(item.labels) if place != at)
        if others:
            rows.append(_row(item, item.labels[at], others))
    return rows


def _gold(votes: Sequence[Vote], tasks: Mapping[str, Task]) -> list[Compared]:
    """The rater's first vote on each task with a known answer, beside that answer."""
    rows, seen = [], set()
    for vote in sorted(votes, key=lambda each: (each.time, each.id)):
        task = tasks.get(vote.task)
        if task is None or task.gold is None or vote.answer is None or task.id in seen:
            continue
        seen.add(task.id)
        right = {(question, sides): label for question, sides, label in opinions(task.gold)}
        for item in items_of([vote], tasks):
            if (item.question, item.sides) in right:
                rows.append(_row(item, item.labels[0], (right[item.question, item.sides],)))
    return rows


def _repeats(votes: Sequence[Vote], tasks: Mapping[str, Task]) -> list[Compared]:
    """Each blind repeat beside the first answer to the same task."""
    first: dict[str, dict[tuple[str, tuple[int, int]], str]] = {}
    rows = []
    for vote in sorted(votes, key=lambda each: (each.time, each.id)):
        if vote.answer is None or vote.task not in tasks:
            continue
        if not vote.repeat:
            said = {(question, sides): label for question, sides, label in opinions(vote.answer)}
            first.setdefault(vote.task, said)
            continue
        for item in items_of([vote], tasks):
            before = first.get(vote.task, {}).get((item.question, item.sides))
            if before is not None:
                rows.append(_row(item, item.labels[0], (before,)))
    return rows


def _row(item: Item, label: str, reference: tuple[str, ...]) -> Compared:
    return Compared(item.group, item.question, label, reference, is_scale=is_scale([item]), has_sides=has_sides([item]))
