"""Length: does the model read the answers, or measure them?

The accuracy over all pairs cannot tell. Where the longer answer is usually the better one, a model that only counts
characters scores well; where both answers are equally long it is a coin. So the accuracy is shown apart for pairs
whose chosen answer is longer, shorter, or about as long as the rejected one.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from rewardsmith.audit.heldout.accuracy import percent, share_right
from rewardsmith.audit.observations import Observations
from rewardsmith.core.finding import Estimate, Finding, Severity
from rewardsmith.numerics.association import spearman
from rewardsmith.numerics.testing import interval_p_value

MATCHED_WITHIN = 0.1
CORRELATION_LIMIT = 0.5
DROP_LIMIT = 0.1
_ENOUGH_MATCHED = 20


@dataclass(frozen=True, slots=True)
class Lengths:
    """Accuracy by which answer is the longer one.

    Attributes:
        longer: Accuracy where the chosen answer is more than 10% longer.
        shorter: Accuracy where it is more than 10% shorter.
        matched: Accuracy where the two differ by at most 10% of the longer one.
        correlation: Spearman correlation of Δr and Δlength. Each pair enters in both orders, so that which answer
            the raters preferred does not enter.
        partial: The same given the label: each pair enters once, as chosen minus rejected, so that what is common to
            all preferred answers does not enter.
    """

    longer: Estimate
    shorter: Estimate
    matched: Estimate
    correlation: Estimate
    partial: Estimate


def measure_lengths(rows: Observations, *, seed: int) -> Lengths:
    """Accuracy in the three strata, and the correlation of Δr with Δlength, over the judged pairs."""
    judged = rows.where(rows.judged)
    matched = length_matched(judged)
    longer = ~matched & (judged.length_difference > 0)
    return Lengths(
        longer=share_right(judged.where(longer), seed=seed),
        shorter=share_right(judged.where(~matched & ~longer), seed=seed),
        matched=share_right(judged.where(matched), seed=seed),
        correlation=_correlation(judged, seed=seed),
        partial=spearman(judged.margin, judged.length_difference.astype(np.float64), judged.group, seed=seed),
    )


def length_matched(rows: Observations) -> Bool[np.ndarray, " pair"]:
    """Pairs whose lengths differ by at most 10% of the longer answer."""
    longest = np.maximum(rows.chosen_length, rows.rejected_length)
    return np.abs(rows.length_difference) <= MATCHED_WITHIN * longest


def length_findings(lengths: Lengths, pooled: Estimate) -> list[Finding]:
    """`length.matched`, `length.against`, `length.correlation` and `length.partial`.

    Args:
        pooled: Accuracy over all judged pairs, which the strata are held against.
    """
    return [_matched(lengths, pooled), _against(lengths, pooled), _correlated(lengths), _partial(lengths)]


def _correlation(rows: Observations, *, seed: int) -> Estimate:
    margin, length = rows.margin, rows.length_difference.astype(np.float64)
    both = spearman(
        np.concatenate([margin, -margin]),
        np.concatenate([length, -length]),
        np.concatenate([rows.group, rows.group]),
        seed=seed,
    )
    return dataclasses.replace(both, n=len(rows))


def _matched(lengths: Lengths, pooled: Estimate) -> Finding:
    """Its test asks whether the accuracy is lower than over all pairs: a few matched pairs of a sound model, whose
    interval reaches one half, are no fault found, and an audit does not count them as one."""
    name, matched = "length.matched", lengths.matched
    if matched.n < _ENOUGH_MATCHED:
        summary = (
            f"Only {matched.n} pairs have answers of about the same length: too few to say how the model does where "
            "length cannot help it."
        )
        return Finding(name, matched, "info", summary, limit=0.5, unit="share")
    p_value = interval_p_value(matched, null=pooled.value, alternative="less")
    severity, limit, summary = _judge_matched(matched, pooled)
    return Finding(name, matched, severity, summary, limit, p_value=p_value, unit="share")


def _judge_matched(matched: Estimate, pooled: Estimate) -> tuple[Severity, float, str]:
    """Severity, the limit that decided it, and the sentence."""
    figures = f"{percent(matched)} where both answers are equally long (within 10%, n={matched.n})"
    reader = f"The overall {100 * pooled.value:.1f}% alone would mislead a reader."
    if matched.value <= 0.5:
        return "warning", 0.5, f"NO BETTER THAN A COIN ONCE LENGTH CANNOT HELP: {figures}. {reader}"
    if pooled.value - matched.value > DROP_LIMIT and matched.high < pooled.value:
        return "warning", pooled.value - DROP_LIMIT, f"FAR WEAKER ONCE LENGTH CANNOT HELP: {figures}. {reader}"
    if matched.low > 0.5:
        return "info", 0.5, f"Holds where length cannot help: {figures}."
    return "warning", 0.5, f"NOT SHOWN TO WORK ONCE LENGTH CANNOT HELP: {figures}. {reader}"


def _against(lengths: Lengths, pooled: Estimate) -> Finding:
    """A model that follows length, either way, is wrong wherever the better answer goes the other way."""
    name = "length.against"
    shorter_is_worse = not lengths.shorter.value > lengths.longer.value
    against = lengths.shorter if shorter_is_worse else lengths.longer
    word = "shorter" if shorter_is_worse else "longer"
    if not against.n:
        return Finding(
            name,
            against,
            "info",
            "No pair goes against length, so nothing can be said about it.",
            limit=0.5,
            unit="share",
        )
    p_value = interval_p_value(against, null=0.5, alternative="less")
    figures = f"{percent(against)} where the chosen answer is the {word} one (n={against.n})"
    if against.high < 0.5:
        other = "longer" if shorter_is_worse else "shorter"
        summary = (
            f"The model follows length: {figures}. It prefers the {other} answer even where the raters did not; a "
            f"policy trained on it will learn to write {other} answers."
        )
        return Finding(name, against, "warning", summary, limit=0.5, p_value=p_value, unit="share")
    summary = f"Weakest against length: {figures}; overall {percent(pooled)}."
    return Finding(name, against, "info", summary, limit=0.5, p_value=p_value, unit="share")


def _correlated(lengths: Lengths) -> Finding:
    measured = "Spearman correlation of reward difference and length difference"
    return _association("length.correlation", lengths.correlation, measured)


def _partial(lengths: Lengths) -> Finding:
    measured = "The same correlation given which answer the raters preferred"
    return _association("length.partial", lengths.partial, measured)


def _association(name: str, estimate: Estimate, what: str) -> Finding:
    p_value = interval_p_value(estimate, null=0.0, alternative="two-sided")
    measured = f"{what}: {estimate.value:+.2f} [{estimate.low:+.2f}, {estimate.high:+.2f}]"
    if abs(estimate.value) > CORRELATION_LIMIT:
        summary = f"{measured}. Much of what the model rewards is length."
        return Finding(name, estimate, "warning", summary, limit=CORRELATION_LIMIT, p_value=p_value)
    return Finding(name, estimate, "info", f"{measured}.", limit=CORRELATION_LIMIT, p_value=p_value)
