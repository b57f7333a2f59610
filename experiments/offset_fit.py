"""A linear Bradley–Terry model on top of a prior: what the residual experiment fits in each run."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.model_selection import GroupKFold

FOLDS = 5
VARIANCES = (1e-4, 1e-3, 1e-2, 1e-1)


def fit(features: np.ndarray, prior: np.ndarray, *, variance: float, learns_scale: bool) -> tuple[np.ndarray, float]:
    """w and s that minimise Σ −log σ(s·prior + w·features) + ‖w‖²/(2·variance); s is 1 where it is not learnt."""

    def loss(free: np.ndarray) -> tuple[float, np.ndarray]:
        weights, scale = free[:-1], free[-1]
        margins = scale * prior + features @ weights
        pull = -expit(-margins)
        gradient = np.append(features.T @ pull + weights / variance, pull @ prior if learns_scale else 0.0)
        return float(np.logaddexp(0, -margins).sum() + weights @ weights / (2 * variance)), gradient

    start = np.append(np.zeros(features.shape[1]), 1.0)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300})
    return found.x[:-1], float(found.x[-1])


def choose_variance(features: np.ndarray, prior: np.ndarray, groups: np.ndarray, learns_scale: bool) -> float:
    """The variance with the lowest loss on left-out training prompts."""
    folds = list(GroupKFold(min(FOLDS, len(set(groups)))).split(features, groups=groups))

    def left_out_loss(variance: float) -> float:
        total = 0.0
        for inside, outside in folds:
            weights, scale = fit(features[inside], prior[inside], variance=variance, learns_scale=learns_scale)
            total += np.logaddexp(0, -(features[outside] @ weights + scale * prior[outside])).sum()
        return total

    return min(VARIANCES, key=left_out_loss)
