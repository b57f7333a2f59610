"""The first thing that a reader sees: what the evidence says and what it does not say. No gate: nothing is passed."""

from __future__ import annotations

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.evaluation import Evaluation
from rewardsmith.audit.heldout.accuracy import FloorComparison, percent
from rewardsmith.core.errors import SettingsError
from rewardsmith.core.finding import Finding, Severity
from rewardsmith.numerics.power import pairs_needed

_SMALLEST_LEAD = 0.02


def headline(evaluation: Evaluation) -> str:
    """One sentence: the accuracy, the best floor beside it, and how many findings there are."""
    estimate = evaluation.accuracy.estimate
    critical, warnings = (len(of_severity(evaluation, severity)) for severity in ("critical", "warning"))
    counted = f"{_count(critical, 'critical finding')} and {_count(warnings, 'warning')}"
    if not estimate.n:
        return f"No held-out pair could be judged; {counted}."
    floor = best_floor(evaluation)
    return (
        f"{percent(estimate)} of {estimate.n} held-out pairs are ordered as the raters ordered them; the best rule "
        f"without a model (“{floor.name}”) gets {percent(floor.estimate)}. {counted}."
    )


def says(evaluation: Evaluation) -> tuple[str, ...]:
    """What this evidence says."""
    estimate = evaluation.accuracy.estimate
    if of_severity(evaluation, "critical"):
        first = "At least one finding is critical: do not trust the figures below until it is explained."
        return (first, *(finding.summary for finding in of_severity(evaluation, "critical")))
    floor = best_floor(evaluation)
    if floor.lead.low > 0:
        lead = f"The model knows more than “{floor.name}”: it is ahead by {points(floor)} on the same pairs."
    else:
        lead = (
            f"The model is not shown to know more than “{floor.name}”: its lead is {points(floor)} on the same pairs."
        )
    shown = "is" if estimate.low > 0.5 else "is not shown to be"
    chance = f"It orders {percent(estimate)} of the pairs as the raters did, which {shown} better than a coin."
    warnings = of_severity(evaluation, "warning")
    if not warnings:
        return chance, lead, "None of the checks below raised a warning."
    return (
        chance,
        lead,
        f"{_count(len(warnings), 'check')} raised a warning; read them before you use the figure above.",
    )


def does_not_say(evaluation: Evaluation) -> tuple[str, ...]:
    """What this evidence does not say, whatever the figures are."""
    estimate, counts = evaluation.accuracy.estimate, evaluation.counts
    sentences = [
        "That a policy may be optimised against this reward. Held-out accuracy is measured on answers like those of "
        "the training data; an optimiser leaves them.",
        "How good the raters' labels are. On public preference data people agree with each other on 60–77% of the "
        "pairs, so 100% is not the goal.",
        "Anything about prompts unlike the "
        f"{counts.groups} prompt groups evaluated here, or about comparing rewards of different prompts.",
    ]
    needed = _pairs_to_show(_SMALLEST_LEAD, estimate.value)
    if needed is not None:
        reach = 50 * (estimate.high - estimate.low)
        sentences.append(
            f"Small differences. With {estimate.n} pairs the interval is ±{reach:.1f} points; to show an accuracy "
            f"{100 * _SMALLEST_LEAD:.0f} points above a bar takes about {needed:,} pairs."
        )
    sentences.extend(_missing(evaluation))
    return tuple(sentences)


def best_floor(evaluation: Evaluation) -> FloorComparison:
    """The floor with the highest accuracy. There is one wherever a pair was judged."""
    return max(evaluation.floors, key=lambda floor: floor.estimate.value)


def of_severity(evaluation: Evaluation, severity: Severity) -> tuple[Finding, ...]:
    """The findings of one severity."""
    return tuple(finding for finding in evaluation.findings if finding.severity == severity)


def points(floor: FloorComparison) -> str:
    """The lead in points with its interval."""
    lead = floor.lead
    return f"{100 * lead.value:+.1f} points [{100 * lead.low:+.1f}, {100 * lead.high:+.1f}]"


def _missing(evaluation: Evaluation) -> list[str]:
    parts = {
        "Leakage": evaluation.leakage,
        "The train–held-out gap": evaluation.gap,
        "Calibration": evaluation.calibration,
        "Disagreement of raters": evaluation.disagreement,
        "Whether more labels would help": evaluation.label_curve,
        "How training went": evaluation.training,
    }
    return [f"{name}: not measured. {part.reason}" for name, part in parts.items() if isinstance(part, Absent)]


def _pairs_to_show(lead: float, accuracy: float) -> int | None:
    try:
        return pairs_needed(accuracy, accuracy - lead)
    except SettingsError:
        return None


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
