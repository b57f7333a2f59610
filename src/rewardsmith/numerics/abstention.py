"""Does an uncertainty say where a scorer is wrong, and what is gained by keeping silent there?

Two views of the same order. AUROC: is a wrong answer more uncertain than a right one? The risk–coverage curve: if only
the least uncertain share is answered, what share of it is wrong (El-Yaniv & Wiener 2010; Geifman & El-Yaniv 2017,
arXiv:1705.08500)?
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64
from scipy.stats import rankdata

from rewardsmith.core.errors import DataError
from rewardsmith.core.finding import Estimate
from rewardsmith.numerics.intervals import DRAWS, Groups, group_bootstrap


@dataclass(frozen=True, slots=True)
class Abstention:
    """Risk by coverage, and its area. The smaller the area, the better the order.

    Attributes:
        coverages: `[item]`, 1/n, 2/n, …, 1: the share that is answered, least uncertain first.
        risks: `[item]`, share of wrong ones among those that are answered.
        area: Mean of the risks over all coverages (AURC, Geifman et al. 2019, arXiv:1805.08206).
        random_area: The area of an order by lot, which is the share of wrong ones.
        best_area: The area of the order that puts every right one first.
    """

    coverages: Float64[np.ndarray, " item"]
    risks: Float64[np.ndarray, " item"]
    area: float
    random_area: float
    best_area: float

    def risk_at(self, coverage: float) -> float:
        """Share of wrong ones where at least this share is answered."""
        return float(self.risks[min(len(self.risks) - 1, int(np.searchsorted(self.coverages, coverage - 1e-9)))])


def auroc(uncertainty: Float[np.ndarray, " item"], is_wrong: Bool[np.ndarray, " flag"]) -> float:
    """P(a wrong item is more uncertain than a right one) + ½ P(it is as uncertain); NaN where one kind is absent.

    By ranks: (Σ ranks of the wrong − w(w + 1)/2) / (w · r), ties at their mean rank (Mann & Whitney 1947). ½ is what
    lots give; below ½ the uncertainty points the wrong way.
    """
    _check(uncertainty, is_wrong)
    wrong = int(is_wrong.sum())
    right = len(is_wrong) - wrong
    if wrong == 0 or right == 0:
        return float("nan")
    ranks = rankdata(uncertainty)
    return float((ranks[is_wrong].sum() - wrong * (wrong + 1) / 2) / (wrong * right))


def auroc_estimate(
    uncertainty: Float[np.ndarray, " item"],
    is_wrong: Bool[np.ndarray, " flag"],
    groups: Groups,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Estimate:
    """`auroc` with an interval that resamples prompt groups; draws in which nothing, or all, is wrong say nothing."""
    _check(uncertainty, is_wrong)
    table = np.column_stack([uncertainty.astype(np.float64), is_wrong.astype(np.float64)])
    return group_bootstrap(table, groups, statistic=_auroc_of_table, draws=draws, seed=seed)


def abstention(uncertainty: Float[np.ndarray, " item"], is_wrong: Bool[np.ndarray, " flag"]) -> Abstention:
    """The risk–coverage curve of answering the least uncertain first; ties are averaged over all their orders.

    Raises:
        DataError: There is nothing, the lengths differ, or an uncertainty is not finite.
    """
    _check(uncertainty, is_wrong)
    if len(is_wrong) == 0:
        raise DataError("nothing to abstain from", wanted="at least one item", got=0)
    wrong = is_wrong.astype(np.float64)
    place = (rankdata(uncertainty, method="dense") - 1).astype(np.int64)
    tied = np.bincount(place, weights=wrong) / np.bincount(place)
    risks = _risks(tied[np.sort(place)])
    return Abstention(
        coverages=np.arange(1, len(wrong) + 1) / len(wrong),
        risks=risks,
        area=float(risks.mean()),
        random_area=float(wrong.mean()),
        best_area=float(_risks(np.sort(wrong)).mean()),
    )


def _risks(wrong: Float64[np.ndarray, " item"]) -> Float64[np.ndarray, " item"]:
    """Share of wrong ones among the first 1, 2, … items."""
    return np.cumsum(wrong) / np.arange(1, len(wrong) + 1)


def _auroc_of_table(table: Float[np.ndarray, "item 2"]) -> float:
    return auroc(table[:, 0], table[:, 1] > 0)


def _check(uncertainty: Float[np.ndarray, " item"], is_wrong: Bool[np.ndarray, " flag"]) -> None:
    if len(uncertainty) != len(is_wrong):
        raise DataError("uncertainties and errors differ in number", wanted=f"{len(uncertainty)}", got=len(is_wrong))
    if not np.isfinite(uncertainty).all():
        raise DataError("not a finite uncertainty", fix="leave such items out")
