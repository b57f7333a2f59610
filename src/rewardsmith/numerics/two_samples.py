"""Are two samples from one distribution? The Kolmogorov–Smirnov distance, and how large it is by accident."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from rewardsmith.core.errors import DataError


def ks_distance(one: Float[np.ndarray, " item"], other: Float[np.ndarray, " other_item"]) -> float:
    """D = max over x of |F(x) − G(x)|, of the two empirical distribution functions; 0 to 1, no unit.

    Raises:
        DataError: A sample is empty or holds NaN.
    """
    if not len(one) or not len(other) or np.isnan(one).any() or np.isnan(other).any():
        raise DataError("not two samples", wanted="numbers in both", got=f"{len(one)} and {len(other)}")
    first, second = np.sort(one), np.sort(other)
    places = np.concatenate([first, second])
    below_first = np.searchsorted(first, places, side="right") / len(first)
    below_second = np.searchsorted(second, places, side="right") / len(second)
    return float(np.abs(below_first - below_second).max())


def ks_critical(n: int, m: int, *, alpha: float) -> float:
    """Distance that samples of n and m independent items from one distribution exceed with probability α or less:
    c(α)·√((n + m)/(n·m)) with c(α) = √(−ln(α/2)/2), good for large n and m (Smirnov 1948).
    """
    return math.sqrt(-math.log(alpha / 2) / 2 * (n + m) / (n * m))
