"""Does one number go with another? Correlations with intervals that resample prompt groups.

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
    moment_bootstrap,
)

# Below this share of a column's variance, what is left of it is rounding.
_NO_VARIANCE = 1e-12
_CHUNK_CELLS = 2_000_000


def pearson(
    x: Float[np.ndarray, " item"], y: Float[np.ndarray, " item"], groups: Groups, *, draws: int = DRAWS, seed: int = 0
) -> Estimate:
    """Pearson's correlation."""
    return _from_covariance(np.column_stack(_paired(x, y)), groups, draws=draws, seed=seed)


def partial_correlation(
    x: Float[np.ndarray, " item"],
    y: Float[np.ndarray, " item"],
    controls: Float[np.ndarray, "item control"],
    groups: Groups,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Estimate:
    """Pearson's correlation of what linear regression on `controls` (with intercept) leaves of `x` and of `y`.

    Computed as −P_xy / √(P_xx·P_yy) from the inverse P of the covariance matrix of (x, y, controls).
    """
    return _from_covariance(np.column_stack([*_paired(x, y), controls]), groups, draws=draws, seed=seed)


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


def center_by_group(values: Float[np.ndarray, " item"], groups: Groups) -> Float[np.ndarray, " item"]:
    """Each value minus the mean of its group.

    A prompt may add any constant to all its rewards without changing what the model says, so rewards of several
    prompts are centred before they are correlated with anything.
    """
    codes, n_groups = encode_groups(values, groups)
    sums = np.bincount(codes, weights=values, minlength=n_groups)
    sizes = np.maximum(np.bincount(codes, minlength=n_groups), 1)
    return np.asarray(values, dtype=np.float64) - (sums / sizes)[codes]


def _from_covariance(table: Float[np.ndarray, "item column"], groups: Groups, *, draws: int, seed: int) -> Estimate:
    """The (partial, where there are more columns) correlation of the first two columns."""
    encode_groups(table, groups)
    if not len(table):
        return empty_estimate()
    size = table.shape[1]
    spread = table.std(axis=0)
    # Moments of centred and scaled columns, since differences of large sums of squares lose digits.
    unit = (table - table.mean(axis=0)) / np.where(spread > 0, spread, 1)
    products = (unit[:, :, None] * unit[:, None, :]).reshape(len(unit), size * size)

    def correlate(totals: Float[np.ndarray, "draw moment"]) -> Float[np.ndarray, " draw"]:
        count = totals[:, :1]
        means = totals[:, 1 : 1 + size] / count
        second = (totals[:, 1 + size :] / count).reshape(-1, size, size)
        return _first_two(second - means[:, :, None] * means[:, None, :])

    moments = np.column_stack([np.ones(len(unit)), unit, products])
    return moment_bootstrap(moments, groups, statistic=correlate, draws=draws, seed=seed)


def _first_two(covariance: Float[np.ndarray, "draw column column"]) -> Float[np.ndarray, " draw"]:
    """Correlation of columns 0 and 1 given the others: the covariance that the others leave (Schur complement)."""
    rest = covariance[:, 2:, 2:]
    cross = covariance[:, :2, 2:]
    left = covariance[:, :2, :2] - cross @ np.linalg.pinv(rest, hermitian=True) @ cross.transpose(0, 2, 1)
    return _correlation(left[:, 0, 0], left[:, 1, 1], left[:, 0, 1])


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
