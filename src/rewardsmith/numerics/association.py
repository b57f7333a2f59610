"""Does one number go with another? A correlation with an interval that resamples prompt groups.

NaN where one of the two does not vary.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from rewardsmith.core.errors import DataError
from rewardsmith.core.finding import Estimate
from rewardsmith.numerics.intervals import (
    DRAWS,
    Groups,
    draw_counts,
    empty_estimate,
    encode_groups,
    from_samples,
)

# Below this share of a column's variance, what is left of it is rounding.
_NO_VARIANCE = 1e-12
_CHUNK_CELLS = 2_000_000


def spearman(
    x: Float[np.ndarray, " item"], y: Float[np.ndarray, " item"], groups: Groups, *, draws: int = DRAWS, seed: int = 0
) -> Estimate:
    """Spearman's rank correlation; equal values share their mean rank. Each draw is ranked anew."""
    table = np.column_stack(_paired(x, y))
    codes, n_groups = encode_groups(table, groups)
    if n_groups == 0:
        return empty_estimate()
    rank_x, rank_y = _weighted_ranker(table[:, 0]), _weighted_ranker(table[:, 1])

    def correlate(weights: Float[np.ndarray, "draw item"]) -> Float[np.ndarray, " draw"]:
        return _weighted_correlation(rank_x(weights), rank_y(weights), weights)

    value = float(correlate(np.ones((1, len(table))))[0])
    samples = [np.empty(0)]
    rows = max(1, _CHUNK_CELLS // len(table))
    for counts in draw_counts(n_groups, draws=draws if n_groups > 1 else 0, seed=seed):
        for start in range(0, len(counts), rows):
            samples.append(correlate(counts[start : start + rows][:, codes].astype(np.float64)))
    return from_samples(value, np.concatenate(samples), n=len(table), groups=n_groups)


def _correlation(var_x: np.ndarray, var_y: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    known = (var_x > _NO_VARIANCE) & (var_y > _NO_VARIANCE)
    scale = np.sqrt(np.where(known, var_x * var_y, 1))
    return np.where(known, np.clip(covariance / scale, -1, 1), np.nan)


def _weighted_ranker(values: Float[np.ndarray, " item"]) -> Callable[[np.ndarray], np.ndarray]:
    """From weights (how often each item was drawn) to mean ranks; the values are sorted once for all draws."""
    order = np.argsort(values, kind="stable")
    place = (rankdata(values, method="dense") - 1).astype(np.int64)
    starts = np.flatnonzero(np.diff(values[order], prepend=-np.inf) > 0)

    def rank(weights: Float[np.ndarray, "draw item"]) -> Float[np.ndarray, "draw item"]:
        mass = np.add.reduceat(weights[:, order], starts, axis=1)
        return (np.cumsum(mass, axis=1) - (mass - 1) / 2)[:, place]

    return rank


def _weighted_correlation(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    total = weights.sum(axis=1, keepdims=True)
    x = x - (weights * x).sum(axis=1, keepdims=True) / total
    y = y - (weights * y).sum(axis=1, keepdims=True) / total
    sums = [(weights * product).sum(axis=1) / total[:, 0] for product in (x * x, y * y, x * y)]
    return _correlation(*sums)


def _paired(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(x) != len(y):
        raise DataError("the two columns differ in length", wanted=f"{len(x)} values", got=len(y))
    return np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
