"""Held-out accuracy, beside what needs no model at all, and the margins behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rewardsmith.audit.heldout.words import WordFloor
from rewardsmith.audit.observations import Observations
from rewardsmith.core.finding import Estimate, Finding, finding_name
from rewardsmith.numerics.intervals import group_bootstrap, paired_difference, share_bootstrap
from rewardsmith.numerics.ranking import pair_accuracy
from rewardsmith.numerics.testing import interval_p_value

SUSPICIOUS_ACCURACY = 0.95
_ENOUGH_TO_SUSPECT = 100


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often the model prefers what the raters preferred.

    Attributes:
        estimate: Mean credit over the judged pairs, with an interval that resamples prompt groups.
        reward_ties: Judged pairs with exactly equal rewards; each counts half.
        label_ties: Pairs that the raters called equal; left out.
        unscored: Pairs with a reward that is not finite; left out.
    """

    estimate: Estimate
    reward_ties: int
    label_ties: int
    unscored: int


@dataclass(frozen=True, slots=True)
class FloorComparison:
    """The model beside a rule that needs no understanding, on the same pairs.

    Attributes:
        name: `longer wins`, `shorter wins` or `bag of words`.
        how: What the rule was fitted on, if anything.
        estimate: Accuracy of the rule.
        lead: Accuracy of the model minus that of the rule, paired.
    """

    name: str
    how: str
    estimate: Estimate
    lead: Estimate


@dataclass(frozen=True, slots=True)
class MarginHistogram:
    """Counts of the judged pairs by Δ = r(chosen) − r(rejected).

    Attributes:
        edges: Bin edges, one more than the counts.
        counts: Pairs in each bin.
        mean: Mean margin with its interval.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    mean: Estimate


def share_right(rows: Observations, *, seed: int) -> Estimate:
    """Share of these pairs whose preferred answer has the higher reward; ties count half, and NaN stands for none."""
    return share_bootstrap(pair_accuracy(rows.margin), rows.group, seed=seed)


def measure_accuracy(rows: Observations, *, seed: int) -> Accuracy:
    """Accuracy over the judged pairs of `rows`; the estimate is NaN where there are none."""
    judged = rows.where(rows.judged)
    return Accuracy(
        estimate=share_right(judged, seed=seed),
        reward_ties=int((judged.margin == 0).sum()),
        label_ties=int(rows.tie.sum()),
        unscored=int((~np.isfinite(rows.margin) & ~rows.tie).sum()),
    )


def compare_with_floors(rows: Observations, words: WordFloor, *, seed: int) -> tuple[FloorComparison, ...]:
    """The model beside `longer wins`, `shorter wins` and a bag of words.

    Args:
        rows: All pairs; only the judged ones count.
        words: Bag-of-words margin of each of those rows.
    """
    judged = rows.where(rows.judged)
    if not len(judged):
        return ()
    model = pair_accuracy(judged.margin)
    longer = pair_accuracy(judged.length_difference.astype(np.float64))
    floors = (
        ("longer wins", "nothing to fit; characters of the response", longer),
        ("shorter wins", "nothing to fit; characters of the response", 1 - longer),
        ("bag of words", words.how, pair_accuracy(words.margin[rows.judged])),
    )
    return tuple(
        FloorComparison(
            name=name,
            how=how,
            estimate=share_bootstrap(credit, judged.group, seed=seed),
            lead=paired_difference(model, credit, judged.group, seed=seed),
        )
        for name, how, credit in floors
    )


def margin_histogram(rows: Observations, *, seed: int, bins: int = 30) -> MarginHistogram:
    """Bin the judged margins; the range is symmetric so that zero stands in the middle."""
    judged = rows.where(rows.judged)
    reach = float(np.abs(judged.margin).max()) if len(judged) else 1.0
    counts, edges = np.histogram(judged.margin, bins=bins, range=(-(reach or 1.0), reach or 1.0))
    return MarginHistogram(
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
        mean=group_bootstrap(judged.margin, judged.group, seed=seed),
    )


def accuracy_findings(accuracy: Accuracy, floors: tuple[FloorComparison, ...]) -> list[Finding]:
    """`accuracy.heldout`, `accuracy.suspicious` and one `accuracy.over.<floor>` a floor."""
    return [
        _heldout(accuracy),
        *_suspicious(accuracy.estimate),
        *(_over(floor) for floor in floors),
    ]


def _heldout(accuracy: Accuracy) -> Finding:
    name, estimate = "accuracy.heldout", accuracy.estimate
    if not estimate.n:
        summary = "No held-out pair can be judged: all are ties of the raters or have a reward that is not a number."
        return Finding(name, estimate, "critical", summary, limit=0.5, unit="share")
    measured = f"The model prefers the chosen answer in {percent(estimate)} of {estimate.n} held-out pairs"
    if estimate.high < 0.5:
        summary = f"{measured}: below chance. Either chosen and rejected are swapped somewhere, or the data conflict."
        return Finding(name, estimate, "critical", summary, limit=0.5, unit="share")
    if estimate.low > 0.5:
        return Finding(name, estimate, "info", f"{measured}.", limit=0.5, unit="share")
    summary = f"{measured}: these pairs do not show that it is better than a coin."
    return Finding(name, estimate, "warning", summary, limit=0.5, unit="share")


def _suspicious(estimate: Estimate) -> list[Finding]:
    if estimate.n < _ENOUGH_TO_SUSPECT or not estimate.value > SUSPICIOUS_ACCURACY:
        return []
    summary = (
        f"{percent(estimate)} is more than people agree with each other on most preference data (60–77%). It may be "
        "true of easy or synthetic pairs; first rule out that both sides are told apart by a marker, or that the "
        "held-out prompts were trained on."
    )
    return [Finding("accuracy.suspicious", estimate, "warning", summary, limit=SUSPICIOUS_ACCURACY, unit="share")]


def _over(floor: FloorComparison) -> Finding:
    name = finding_name("accuracy.over", floor.name)
    lead = f"{100 * floor.lead.value:+.1f} points [{100 * floor.lead.low:+.1f}, {100 * floor.lead.high:+.1f}]"
    # Of the test that the rule beats the model.
    p_value = interval_p_value(floor.lead, null=0.0, alternative="less")
    if floor.lead.high < 0:
        summary = f"“{floor.name}” ({percent(floor.estimate)}) beats the model: {lead}."
        return Finding(name, floor.lead, "warning", summary, limit=0.0, p_value=p_value)
    if floor.lead.low > 0:
        summary = f"Ahead of “{floor.name}” ({percent(floor.estimate)}) by {lead}."
        return Finding(name, floor.lead, "info", summary, limit=0.0, p_value=p_value)
    summary = f"Not shown to beat “{floor.name}” ({percent(floor.estimate)}): the model's lead is {lead}."
    return Finding(name, floor.lead, "warning", summary, limit=0.0, p_value=p_value)


def percent(estimate: Estimate) -> str:
    """`65.2% [59.8, 70.5]`, or `no figure` where there was nothing to estimate from."""
    if not estimate.n or np.isnan(estimate.value):
        return "no figure"
    return f"{100 * estimate.value:.1f}% [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"
