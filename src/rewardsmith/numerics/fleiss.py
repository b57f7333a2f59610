"""Fleiss' κ: how much more often do raters agree than their labels alone would make them?

Fleiss 1971 has the same number of votes on every item; raters skip, so here numbers may differ (Fleiss, Levin & Paik
2003, section 18.3, with items weighted alike). Where they are the same it is his figure, as `statsmodels` gives it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int, Int64

from rewardsmith.core.errors import DataError
from rewardsmith.core.finding import Estimate
from rewardsmith.numerics.intervals import DRAWS, Groups, empty_estimate, moment_bootstrap


def fleiss_kappa(
    counts: Int[np.ndarray, "item label"],
    groups: Groups | None = None,
    *,
    opposite: Sequence[int] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Estimate:
    """κ = (P̄ − P_e) / (1 − P_e), with its bootstrap interval.

    P̄ is the mean over items of the share of their pairs of votes that agree; P_e = Σ_c p_c², with p_c the share of all
    votes that say c. 1 is perfect agreement, 0 is chance. Items with fewer than two votes are left out, and `n` counts
    the others. NaN where none is left or all votes are one label.

    Args:
        counts: How many raters gave an item each label.
        groups: Of each item; whole groups are drawn.
        opposite: For each label, what it becomes when the two sides change places: then p is that of both orders, so
            that which side is called first does not matter. `None` where labels have no opposite.
        draws: Resamples; 0 gives no interval.

    Raises:
        DataError: There is not one group an item, or a count is negative.
    """
    if groups is not None and len(groups) != len(counts):
        raise DataError("counts and groups differ in length", wanted=f"{len(counts)} groups", got=len(groups))
    if counts.size and counts.min() < 0:
        raise DataError("negative count of votes", wanted="counts of at least 0", got=int(counts.min()))
    votes = counts.sum(axis=1)
    useful = votes >= 2
    if not useful.any():
        return empty_estimate()
    names = np.arange(len(counts)) if groups is None else np.asarray(groups)
    kept, votes = counts[useful].astype(np.float64), votes[useful]
    same = (kept * (kept - 1)).sum(axis=1) / (votes * (votes - 1))
    both = kept if opposite is None else (kept + kept[:, list(opposite)]) / 2
    moments = np.column_stack([np.ones(len(kept)), same, both])
    return moment_bootstrap(moments, names[useful], statistic=_kappa, draws=draws, seed=seed)


def label_counts(
    labels_by_item: Sequence[Sequence[str]], *, labels: Sequence[str] | None = None
) -> Int64[np.ndarray, "item label"]:
    """How often each label stands at each item, columns in the order of `labels` (sorted where absent).

    Raises:
        DataError: A label is not among `labels`.
    """
    names = sorted({label for each in labels_by_item for label in each}) if labels is None else list(labels)
    columns = {name: column for column, name in enumerate(names)}
    counts = np.zeros((len(labels_by_item), len(names)), dtype=np.int64)
    for item, given in enumerate(labels_by_item):
        for label in given:
            if label not in columns:
                raise DataError("unknown label", wanted=", ".join(names), got=label, where=f"item {item}")
            counts[item, columns[label]] += 1
    return counts


def opposite_columns(labels: Sequence[str], opposite: Mapping[str, str]) -> list[int]:
    """For each label's column that of its opposite; a label without one is its own."""
    return [list(labels).index(opposite.get(label, label)) for label in labels]


def _kappa(totals: Float[np.ndarray, "draw moment"]) -> Float[np.ndarray, " draw"]:
    observed = totals[:, 1] / totals[:, 0]
    shares = totals[:, 2:] / totals[:, 2:].sum(axis=1, keepdims=True)
    expected = (shares**2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected < 1 - 1e-12, (observed - expected) / (1 - expected), np.nan)
