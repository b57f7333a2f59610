"""Margin against the raters' disagreement: a model that learnt what people mean is less sure where they differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.observations import Observations
from rewardsmith.core.finding import Estimate, Finding
from rewardsmith.numerics.association import spearman
from rewardsmith.numerics.intervals import group_bootstrap
from rewardsmith.numerics.testing import interval_p_value

_FEWEST_PAIRS = 20


@dataclass(frozen=True, slots=True)
class AgreementBin:
    """Pairs on which the raters agreed to the same degree.

    Attributes:
        low: Smallest share of the votes for the chosen answer in the bin.
        high: Largest share.
        margin: Mean margin.
    """

    low: float
    high: float
    margin: Estimate


@dataclass(frozen=True, slots=True)
class Disagreement:
    """How the margin goes with the share of the votes for the chosen answer.

    Attributes:
        correlation: Spearman correlation over the judged pairs that carry votes.
        bins: Mean margin by agreement, weakest agreement first.
    """

    correlation: Estimate
    bins: tuple[AgreementBin, ...]


def measure_disagreement(rows: Observations, *, seed: int, max_bins: int = 4) -> Disagreement | Absent:
    """Compare margins with votes; pairs that the raters called equal are left out, their order means nothing."""
    voted = rows.where(rows.judged & np.isfinite(rows.agreement))
    if len(voted) < _FEWEST_PAIRS:
        return Absent(f"{len(voted)} held-out pairs carry votes; at least {_FEWEST_PAIRS} are needed.")
    if np.ptp(voted.agreement) == 0:
        return Absent(f"The raters agreed to the same degree ({voted.agreement[0]:.0%}) on every pair.")
    shares = np.unique(voted.agreement)
    cuts = (
        shares if len(shares) <= max_bins else np.unique(np.quantile(voted.agreement, np.arange(max_bins) / max_bins))
    )
    code = np.searchsorted(cuts, voted.agreement, side="right") - 1
    return Disagreement(
        correlation=spearman(voted.margin, voted.agreement, voted.group, seed=seed),
        bins=tuple(_bin(voted.where(code == number), seed=seed) for number in np.unique(code)),
    )


def disagreement_findings(disagreement: Disagreement | Absent) -> list[Finding]:
    """`disagreement.correlation`, where there are votes."""
    if isinstance(disagreement, Absent):
        return []
    name, estimate = "disagreement.correlation", disagreement.correlation
    p_value = interval_p_value(estimate, null=0.0, alternative="less")
    measured = (
        f"Spearman correlation of margin and raters' agreement: {estimate.value:+.2f} "
        f"[{estimate.low:+.2f}, {estimate.high:+.2f}] over {estimate.n} pairs with votes"
    )
    if estimate.high < 0:
        summary = f"{measured}: the model is surest where people differ."
        return [Finding(name, estimate, "warning", summary, limit=0.0, p_value=p_value)]
    if estimate.low > 0:
        summary = f"{measured}: it is less sure where people differ."
        return [Finding(name, estimate, "info", summary, limit=0.0, p_value=p_value)]
    return [Finding(name, estimate, "info", f"{measured}: no relation is shown.", limit=0.0, p_value=p_value)]


def _bin(rows: Observations, *, seed: int) -> AgreementBin:
    return AgreementBin(
        low=float(rows.agreement.min()),
        high=float(rows.agreement.max()),
        margin=group_bootstrap(rows.margin, rows.group, seed=seed),
    )
