"""Whose votes need a look: each measure against what the other raters do, corrected for the number of raters."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from pydantic import Field

from rewardsmith.core.finding import Estimate
from rewardsmith.core.settings import Settings
from rewardsmith.numerics.testing import Alternative, holm, interval_p_value

FlagKind = Literal["agreement", "gold", "consistency", "position", "length", "speed"]


class FlagLimits(Settings):
    """How far a rater may be from the others, or from what is right, before a flag is raised."""

    alpha: float = Field(default=0.05, gt=0, lt=1)
    """For each measure, the chance of any false flag among all raters (Holm's correction). Honest raters are not just
    at the limits but well within them, so that the chance over all measures together is far smaller than six times
    this."""

    fewest: int = Field(default=20, ge=2)
    """A measure over fewer comparisons is shown and not judged."""

    share_of_others: float = Field(default=0.5, gt=0, lt=1)
    """Agreement, gold and consistency, each beyond chance: flagged below this share of the other raters' median."""

    position: float = Field(default=0.05, ge=0, lt=0.5)
    """How far from ½ the share of the first place may be. Random order makes a little of it harmless."""

    length: float = Field(default=0.1, ge=0, lt=0.5)
    """How far beyond ½, and beyond the raters' median, the share of the longer response may be."""

    speed: float = Field(default=1 / 3, gt=0, lt=1)
    """Time a word: flagged below this share of the other raters' median."""


@dataclass(frozen=True, slots=True)
class Flag:
    """Something about a rater that needs a look; it accuses nobody.

    Attributes:
        kind: What was measured.
        estimate: Its value.
        limit: What it was held against.
        p_value: After the correction for the same measure of all raters.
        text: One sentence for a person.
    """

    kind: FlagKind
    estimate: Estimate
    limit: float
    p_value: float
    text: str


Measures = Mapping[str, Mapping[FlagKind, Estimate]]
"""Rater → measure → estimate. `agreement`, `gold` and `consistency` are beyond chance, `speed` is the log of a pace."""


@dataclass(frozen=True, slots=True)
class _Test:
    rater: str
    kind: FlagKind
    estimate: Estimate
    limit: float
    alternative: Alternative
    text: str


def find_flags(measures: Measures, limits: FlagLimits | None = None) -> dict[str, tuple[Flag, ...]]:
    """The flags of each rater; a rater without any has an empty tuple."""
    limits = limits or FlagLimits()
    found: dict[str, list[Flag]] = {rater: [] for rater in measures}
    for kind in get_args(FlagKind):
        tests = [
            test
            for rater, own in measures.items()
            if kind in own and own[kind].n >= limits.fewest and math.isfinite(own[kind].low)
            for test in _tests(rater, kind, own[kind], others=_others(measures, rater, kind), limits=limits)
        ]
        p_values = [interval_p_value(each.estimate, null=each.limit, alternative=each.alternative) for each in tests]
        for test, p_value in zip(tests, holm(np.array(p_values)) if tests else (), strict=True):
            if p_value < limits.alpha:
                found[test.rater].append(Flag(kind, test.estimate, test.limit, float(p_value), test.text))
    return {rater: tuple(flags) for rater, flags in found.items()}


def _others(measures: Measures, rater: str, kind: FlagKind) -> float:
    """Median of the other raters' values; NaN where fewer than two have one."""
    values = [own[kind].value for name, own in measures.items() if name != rater and kind in own]
    known = [value for value in values if math.isfinite(value)]
    return statistics.median(known) if len(known) >= 2 else math.nan


def _tests(rater: str, kind: FlagKind, estimate: Estimate, *, others: float, limits: FlagLimits) -> Sequence[_Test]:
    def below(limit: float, text: str) -> _Test:
        return _Test(rater, kind, estimate, limit, "less", text)

    def above(limit: float, text: str) -> _Test:
        return _Test(rater, kind, estimate, limit, "greater", text)

    match kind:
        case "agreement" | "gold" | "consistency":
            if not others > 0:
                return ()
            words = {
                "agreement": f"agrees with the others hardly beyond chance: {estimate.value:.2f}, theirs {others:.2f}",
                "gold": f"misses known answers: {estimate.value:.2f} beyond chance, the others {others:.2f}",
                "consistency": f"contradicts own votes: {estimate.value:.2f} beyond chance, the others {others:.2f}",
            }
            return (below(limits.share_of_others * others, words[kind]),)
        case "position":
            share = f"{estimate.value:.0%} of the votes go to the first place, 50% is right"
            return (
                above(0.5 + limits.position, f"prefers what is shown first: {share}"),
                below(0.5 - limits.position, f"prefers what is shown last: {share}"),
            )
        case "length":
            usual = others if math.isfinite(others) else 0.5
            share = f"{estimate.value:.0%} with quality held equal, the others {usual:.0%}"
            return (
                above(max(0.5, usual) + limits.length, f"prefers longer answers: {share}"),
                below(min(0.5, usual) - limits.length, f"prefers shorter answers: {share}"),
            )
        case "speed":
            if not math.isfinite(others):
                return ()
            times = math.exp(others - estimate.value)
            return (below(others + math.log(limits.speed), f"votes {times:.1f} times as fast as the others, a word"),)
