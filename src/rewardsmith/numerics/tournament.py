"""From comparisons of two to a number for each: win shares, and scores whose differences fit measured log-odds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64, Int64

from rewardsmith.core.errors import DataError

Pairs = Sequence[tuple[int, int]]
"""The two items of each comparison, by number."""


def win_shares(pairs: Pairs, credits: Float[np.ndarray, " comparison"], *, items: int) -> Float64[np.ndarray, " item"]:
    """Each item's mean credit over its comparisons: 1 for a win, ½ for a tie, 0 for a loss.

    Args:
        credits: Of the first item of each pair, in [0, 1]; the second gets the rest. NaN is a comparison without a
            result, and left out; an item without any other gets NaN.

    Raises:
        DataError: There is not one credit a pair, a credit is outside [0, 1], or a pair names no two items.
    """
    first, second, known = _checked(pairs, credits, items)
    if ((credits[known] < 0) | (credits[known] > 1)).any():
        raise DataError("a credit outside [0, 1]", got=credits[known].tolist())
    sums, counts = np.zeros(items), np.zeros(items)
    np.add.at(sums, first, credits[known])
    np.add.at(sums, second, 1 - credits[known])
    np.add.at(counts, np.concatenate([first, second]), 1)
    with np.errstate(invalid="ignore"):
        return sums / counts


def fitted_scores(
    pairs: Pairs, log_odds: Float[np.ndarray, " comparison"], *, items: int
) -> Float64[np.ndarray, " item"]:
    """The scores r that minimise Σ (r_i − r_j − m_ij)² over the comparisons, with mean 0.

    m_ij is the log-odds that i is better than j, in nats, so that σ(r_i − r_j) is Bradley–Terry's probability. Where
    all items are compared with all, r_i = Σ_j m_ij / n (HodgeRank, Jiang et al. 2011, eq. 10). Items that no chain of
    comparisons connects have means of 0 of their own, and differences between such sets say nothing.

    Args:
        log_odds: Of the first item of each pair against the second, nats. NaN is left out; an item without any other
            comparison gets NaN.

    Raises:
        DataError: There is not one number a pair, or a pair names no two items.
    """
    first, second, known = _checked(pairs, log_odds, items)
    design = np.zeros((len(first), items))
    rows = np.arange(len(first))
    design[rows, first], design[rows, second] = 1.0, -1.0
    # Of all solutions lstsq gives the one of the smallest norm, whose mean is 0.
    scores = np.linalg.lstsq(design, log_odds[known], rcond=None)[0] if len(first) else np.zeros(items)
    scores[~np.isin(np.arange(items), np.concatenate([first, second]))] = np.nan
    return scores


def _checked(
    pairs: Pairs, values: np.ndarray, items: int
) -> tuple[Int64[np.ndarray, " known"], Int64[np.ndarray, " known"], np.ndarray]:
    """First and second items of the comparisons that have a result, and where those stand."""
    if len(pairs) != len(values):
        raise DataError("comparisons and results differ in number", wanted=f"{len(pairs)} results", got=len(values))
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    if ((table < 0) | (table >= items)).any() or (table[:, 0] == table[:, 1]).any():
        raise DataError("a comparison of no two items", wanted=f"two different numbers below {items}", got=pairs)
    known = np.flatnonzero(~np.isnan(values))
    return table[known, 0], table[known, 1], known
