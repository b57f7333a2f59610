"""Linear heads on features that are given: ridge regression, its strength chosen across prompt groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from rewardsmith.core.errors import DataError
from rewardsmith.core.finding import Estimate
from rewardsmith.numerics.intervals import DRAWS, Groups, encode_groups, ratio_bootstrap


@dataclass(frozen=True, slots=True)
class LinearHead:
    """x ↦ w·x + b.

    Attributes:
        weight: `[feature]`, for the features as they are.
        bias: b.
        l2: λ that it was fitted with.
        rows: What it was fitted on.
    """

    weight: Float64[np.ndarray, " feature"]
    bias: float
    l2: float
    rows: int

    def __call__(self, features: Float[np.ndarray, "row feature"]) -> Float64[np.ndarray, " row"]:
        """One value a row."""
        return np.asarray(features, np.float64) @ self.weight + self.bias


def fit_ridge(
    features: Float[np.ndarray, "row feature"],
    targets: Float[np.ndarray, " row"],
    groups: Groups,
    *,
    l2: Sequence[float],
    folds: int = 5,
) -> LinearHead:
    """The w and b that minimise Σ (y − w·x − b)² + λ‖w‖², x with mean 0 and variance 1 in each dimension.

    Of several λ the one with the least squared error in cross-validation is taken, whose folds never divide a prompt
    group. Rows whose target is NaN are left out.

    Args:
        l2: λ, or several to choose from.
        folds: Parts of the cross-validation, fewer where there are not as many groups.

    Raises:
        DataError: Fewer than two rows have a target, or they are of one group and there are several λ; a feature is
            not finite; the lengths differ.
    """
    known = np.isfinite(targets)
    if len(features) != len(targets) or len(groups) != len(targets):
        raise DataError("features, targets and groups differ in number", wanted=f"{len(targets)}", got=len(features))
    x, y = np.asarray(features, np.float64)[known], np.asarray(targets, np.float64)[known]
    codes, n_groups = encode_groups(x, np.asarray(groups)[known])
    if len(y) < 2 or (len(l2) > 1 and n_groups < 2):
        raise DataError(
            "too little to fit a head on", wanted="rows of two prompt groups", got=f"{len(y)} rows, {n_groups} groups"
        )
    scaler = StandardScaler().fit(x)
    scaled = np.asarray(scaler.transform(x), np.float64)
    chosen = l2[0] if len(l2) == 1 else _best_l2(scaled, y, codes, l2=l2, folds=min(folds, n_groups))
    model = Ridge(alpha=chosen).fit(scaled, y)
    weight = np.asarray(model.coef_, np.float64) / np.asarray(scaler.scale_, np.float64)
    bias = float(model.intercept_ - weight @ np.asarray(scaler.mean_, np.float64))
    return LinearHead(weight, bias, float(chosen), len(y))


def r_squared(
    predicted: Float[np.ndarray, " row"],
    targets: Float[np.ndarray, " row"],
    groups: Groups,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Estimate:
    """1 − Σ (y − ŷ)² / Σ y²: the share of the squares that is explained, with a group-bootstrap interval.

    The targets are deviations from a mean that was known before (that of the training rows): 0 says that the head
    predicts no better than this mean, and below 0 it is worse.
    """
    y = np.asarray(targets, np.float64)
    left = ratio_bootstrap((y - predicted) ** 2, y**2, groups, draws=draws, seed=seed)
    return Estimate(1 - left.value, 1 - left.high, 1 - left.low, len(y), left.groups)


def _best_l2(
    x: Float64[np.ndarray, "row feature"],
    y: Float64[np.ndarray, " row"],
    codes: np.ndarray,
    *,
    l2: Sequence[float],
    folds: int,
) -> float:
    splits = list(GroupKFold(n_splits=folds).split(x, groups=codes))
    search = RidgeCV(alphas=np.asarray(l2, np.float64), cv=splits, scoring="neg_mean_squared_error")
    return float(np.asarray(search.fit(x, y).alpha_, np.float64))
