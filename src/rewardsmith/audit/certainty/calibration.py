"""Calibration: does σ(Δ) mean what it says, before and after one temperature is fitted?

The temperature is cross-fitted: fitted on one half of the prompt groups and judged on the other, and the other way
round, so that no pair is judged with a temperature that it helped to choose.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
from jaxtyping import Bool, Float64
from scipy.special import expit
from scipy.stats import norm

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.observations import Observations
from rewardsmith.core.finding import Estimate, Finding
from rewardsmith.numerics.calibration import (
    ReliabilityBin,
    expected_calibration_error,
    fit_temperature,
    log_losses,
    reliability,
    squared_errors,
)
from rewardsmith.numerics.intervals import group_bootstrap, paired_difference
from rewardsmith.numerics.testing import interval_p_value

ECE_LIMIT = 0.1
KNOWS_NOTHING_NATS = log(2)
_FEWEST_PAIRS = 40
_DRAWS = 200


@dataclass(frozen=True, slots=True)
class ProbabilityScores:
    """How good σ(Δ/T) is as a probability that the chosen answer is preferred.

    Attributes:
        nll_nats: Negative log-likelihood a pair; log 2 = 0.693 for a model that always says ½.
        brier: Mean squared error; .25 for a model that always says ½.
        ece: Expected calibration error over ten bins of equal mass, both orders of each pair counted.
        bins: The reliability diagram.
    """

    nll_nats: Estimate
    brier: Estimate
    ece: float
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Probabilities before and after temperature scaling.

    Attributes:
        temperature: Fitted on all held-out pairs: what to divide margins by.
        half_temperatures: Fitted on each half of the groups; each is used on the other half only.
        before: T = 1.
        after: Cross-fitted T.
        gain_nats: NLL before minus NLL after, paired.
        error_p_value: Of the test that one temperature does not repair it: how far the calibration error after scaling
            is above what labels drawn from the scaled probabilities themselves give.
    """

    temperature: float
    half_temperatures: tuple[float, float]
    before: ProbabilityScores
    after: ProbabilityScores
    gain_nats: Estimate
    error_p_value: float


def measure_calibration(rows: Observations, *, seed: int) -> Calibration | Absent:
    """Judge σ(Δ) against the labels (soft ones where there are any) of the judged pairs."""
    judged = rows.where(rows.judged)
    first = _half_of_groups(judged, seed=seed)
    for half in (first, ~first):
        if half.sum() < _FEWEST_PAIRS // 2:
            return Absent(
                f"{len(judged)} pairs are too few to fit a temperature on one half and judge it on the other."
            )
        if _separable(judged.where(half)):
            return Absent(
                "The model is right on every pair of one half, so no temperature fits: any smaller one is better."
            )
    half_temperatures = _fit(judged.where(first)), _fit(judged.where(~first))
    scaled = judged.margin / np.where(first, half_temperatures[1], half_temperatures[0])
    return Calibration(
        temperature=_fit(judged),
        half_temperatures=half_temperatures,
        before=_judge(judged.margin, judged, seed=seed),
        after=_judge(scaled, judged, seed=seed),
        gain_nats=paired_difference(
            log_losses(judged.margin, judged.prob_chosen),
            log_losses(scaled, judged.prob_chosen),
            judged.group,
            seed=seed,
        ),
        error_p_value=_error_p_value(scaled, judged, seed=seed),
    )


def calibration_findings(calibration: Calibration | Absent) -> list[Finding]:
    """`calibration.likelihood` and `calibration.error`, where there are pairs enough."""
    if isinstance(calibration, Absent):
        return []
    return [_likelihood(calibration), _error(calibration)]


def _half_of_groups(rows: Observations, *, seed: int) -> Bool[np.ndarray, " pair"]:
    groups = np.unique(rows.group)
    first = np.random.default_rng(seed).permutation(groups)[: len(groups) // 2]
    return np.isin(rows.group, first)


def _separable(rows: Observations) -> bool:
    return bool((rows.margin > 0).all() and (rows.prob_chosen == 1).all())


def _fit(rows: Observations) -> float:
    return fit_temperature(rows.margin, rows.prob_chosen)


def _judge(margin: Float64[np.ndarray, " pair"], rows: Observations, *, seed: int) -> ProbabilityScores:
    return ProbabilityScores(
        nll_nats=group_bootstrap(log_losses(margin, rows.prob_chosen), rows.group, seed=seed),
        brier=group_bootstrap(squared_errors(margin, rows.prob_chosen), rows.group, seed=seed),
        ece=expected_calibration_error(margin, rows.prob_chosen),
        bins=tuple(reliability(margin, rows.prob_chosen, groups=rows.group, seed=seed)),
    )


def _error_p_value(margin: Float64[np.ndarray, " pair"], rows: Observations, *, seed: int) -> float:
    """The error is above 0 by chance alone; labels are drawn to see by how much. One pair a prompt group is drawn, as
    pairs of one prompt are not independent. The tail is a normal one, which draws could not reach."""
    one_each = np.unique(rows.group, return_index=True)[1]
    drawn_from = margin[one_each]
    rng = np.random.default_rng(seed)
    signs = np.where(rng.random((_DRAWS, len(drawn_from))) < expit(drawn_from), 1.0, -1.0)
    errors = [expected_calibration_error(drawn_from * sign, np.ones(len(sign))) for sign in signs]
    observed = expected_calibration_error(margin, rows.prob_chosen)
    spread = float(np.std(errors, ddof=1))
    return float(norm.sf((observed - np.mean(errors)) / spread)) if spread > 0 else 1.0


def _likelihood(calibration: Calibration) -> Finding:
    name, nll = "calibration.likelihood", calibration.before.nll_nats
    p_value = interval_p_value(nll, null=KNOWS_NOTHING_NATS, alternative="greater")
    measured = (
        f"As probabilities, the raw margins cost {nll.value:.3f} nats a pair [{nll.low:.3f}, {nll.high:.3f}]; always "
        f"saying 50% costs {KNOWS_NOTHING_NATS:.3f}, and margins divided by {calibration.temperature:.2f} cost "
        f"{calibration.after.nll_nats.value:.3f}"
    )
    if nll.low > KNOWS_NOTHING_NATS:
        summary = f"{measured}. The model is far too sure of itself: scale its margins before reading σ(Δ)."
        return Finding(name, nll, "warning", summary, limit=KNOWS_NOTHING_NATS, p_value=p_value, unit="nats")
    return Finding(name, nll, "info", f"{measured}.", limit=KNOWS_NOTHING_NATS, p_value=p_value, unit="nats")


def _error(calibration: Calibration) -> Finding:
    ece, nan, p_value = calibration.after.ece, float("nan"), calibration.error_p_value
    estimate = Estimate(ece, nan, nan, calibration.after.brier.n, calibration.after.brier.groups)
    measured = (
        f"Expected calibration error {calibration.before.ece:.3f} as it is, {ece:.3f} with a temperature fitted on the "
        "other half of the groups"
    )
    if ece > ECE_LIMIT:
        summary = f"{measured}: one temperature does not repair it."
        return Finding("calibration.error", estimate, "warning", summary, limit=ECE_LIMIT, p_value=p_value)
    return Finding("calibration.error", estimate, "info", f"{measured}.", limit=ECE_LIMIT, p_value=p_value)
