"""Accuracy by source, beside the pooled one, which can hide a source that the model has backwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from rewardsmith.audit.heldout.accuracy import percent
from rewardsmith.audit.heldout.words import WordFloor, fit_words
from rewardsmith.audit.observations import Observations
from rewardsmith.core.finding import Estimate, Finding
from rewardsmith.core.preference import Preference
from rewardsmith.numerics.intervals import share_bootstrap
from rewardsmith.numerics.ranking import pair_accuracy
from rewardsmith.numerics.testing import interval_p_value

BEHIND_LIMIT = 0.1
_FEWEST_PAIRS = 20


@dataclass(frozen=True, slots=True)
class SourceAccuracy:
    """One source beside the rules that need no understanding.

    Attributes:
        name: Name of the source.
        accuracy: Accuracy of the model.
        longer: Accuracy of `longer wins`; `shorter wins` is one minus it.
        words: Accuracy of the bag of words that was fitted on all sources together.
        words_alone: Accuracy of a bag of words that was fitted on this source alone.
    """

    name: str
    accuracy: Estimate
    longer: Estimate
    words: Estimate
    words_alone: Estimate


def measure_sources(
    rows: Observations,
    words: WordFloor,
    heldout: Sequence[Preference],
    train: Sequence[Preference] | None,
    *,
    seed: int,
) -> tuple[SourceAccuracy, ...]:
    """Every source that has a judged pair, in the order of the names.

    Args:
        rows: The pairs of `heldout`.
        words: The bag of words that was fitted on all sources, on those pairs.
    """
    several = len(rows.source_names) > 1
    measured = []
    for code, name in enumerate(rows.source_names):
        mask = rows.judged & (rows.source == code)
        if mask.any():
            part = rows.where(mask)
            # Of a single source both bags of words are the same one.
            alone = _words_alone(name, heldout, train) if several else words.margin
            margins = (
                part.margin,
                part.length_difference.astype(np.float64),
                words.margin[mask],
                alone[rows.judged[rows.source == code]],
            )
            estimates = (share_bootstrap(pair_accuracy(margin), part.group, seed=seed) for margin in margins)
            measured.append(SourceAccuracy(name, *estimates))
    return tuple(measured)


def source_findings(sources: tuple[SourceAccuracy, ...], pooled: Estimate) -> list[Finding]:
    """`source.accuracy.<name>` a source, where there are several, and `source.pooling`."""
    if len(sources) < 2:
        return []
    return [*(_accuracy(source) for source in sources), _pooling(sources, pooled)]


def _words_alone(
    name: str, heldout: Sequence[Preference], train: Sequence[Preference] | None
) -> Float64[np.ndarray, " pair"]:
    own_train = [preference for preference in train or () if preference.source == name]
    return fit_words([preference for preference in heldout if preference.source == name], own_train).margin


def _accuracy(source: SourceAccuracy) -> Finding:
    name, estimate = f"source.accuracy.{source.name}", source.accuracy
    measured = f"{source.name}: {percent(estimate)} of {estimate.n} pairs"
    # Of the test that the model is below chance there.
    p_value = interval_p_value(estimate, null=0.5, alternative="less")
    if estimate.n >= _FEWEST_PAIRS and estimate.high < 0.5:
        summary = f"{measured}: below chance. The model has learnt the opposite of what these raters want."
        return Finding(name, estimate, "warning", summary, limit=0.5, p_value=p_value, unit="share")
    if estimate.n >= _FEWEST_PAIRS and not estimate.low > 0.5:
        summary = f"{measured}: not shown to be better than a coin on this source, whatever the pooled figure."
        return Finding(name, estimate, "warning", summary, limit=0.5, p_value=p_value, unit="share")
    return Finding(name, estimate, "info", f"{measured}.", limit=0.5, p_value=p_value, unit="share")


def _pooling(sources: tuple[SourceAccuracy, ...], pooled: Estimate) -> Finding:
    """How far the weakest source that has pairs enough is behind the pooled figure."""
    name = "source.pooling"
    enough = [source for source in sources if source.accuracy.n >= _FEWEST_PAIRS]
    weakest = min(enough or sources, key=lambda source: source.accuracy.value)
    behind = pooled.value - weakest.accuracy.value
    nan = float("nan")
    estimate = Estimate(behind, nan, nan, weakest.accuracy.n, weakest.accuracy.groups)
    # The weakest of k was picked: k times the p of one.
    one = interval_p_value(weakest.accuracy, null=pooled.value, alternative="less")
    p_value = min(1.0, max(1, len(enough)) * one)
    measured = f"Pooled {percent(pooled)}; weakest source {weakest.name} {percent(weakest.accuracy)}"
    if enough and behind > BEHIND_LIMIT and weakest.accuracy.high < pooled.value:
        summary = f"{measured}: the pooled figure does not hold for it. Read the sources one by one."
        return Finding(name, estimate, "warning", summary, limit=BEHIND_LIMIT, p_value=p_value)
    return Finding(name, estimate, "info", f"{measured}.", limit=BEHIND_LIMIT, p_value=p_value)
