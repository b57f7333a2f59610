"""Does σ(Δ/T) mean what it says?

A margin Δ = r⁺ − r⁻ stands in the order of the label, so "the first one wins" is true of every pair, and a curve
over the chosen order alone could only ask whether confidence is high. What a judge of two unnamed responses
says is σ(Δ/T) in one order and σ(−Δ/T) = 1 − σ(Δ/T) in the other. So each pair counts once in each order: the
point (σ(Δ/T), p) and the point (σ(−Δ/T), 1 − p), with p the soft label (1 for a plain one). A model that is sure
and right half of the time is then seen to be wrong. (Guo 2017, arXiv 1706.04599, for labels that have classes.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize_scalar
from scipy.special import expit

from rewardsmith.core.errors import DataError
from rewardsmith.numerics.intervals import Groups, ratio_bootstrap

# A temperature is sought between these multiples of the margins' root mean square.
_LOWEST, _HIGHEST = 1e-2, 1e3


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Points with about the same predicted probability.

    Attributes:
        predicted: Mean of σ(±Δ/T) in the bin.
        observed: Mean of the label in the bin.
        low: Lower end of the 95% interval of `observed` (group bootstrap).
        high: Upper end.
        n: Points in the bin; a pair gives two points, one in each order.
    """

    predicted: float
    observed: float
    low: float
    high: float
    n: int


def fit_temperature(
    margins: Float[np.ndarray, " pair"], prob_chosen: Float[np.ndarray, " pair"] | None = None
) -> float:
    """The T that minimises the mean of −p·log σ(Δ/T) − (1 − p)·log σ(−Δ/T), on held-out pairs.

    The loss is convex in 1/T, so it has one minimum in log T, which a bounded search finds. The bounds are 0.01
    and 1,000 times the root mean square of Δ, so that scaling all margins scales T. Degenerate data:

    - every label agrees with the sign of its margin (the minimum is at T → 0): the lower bound;
    - labels that do not go with the margins at all, or go against them (T → ∞): the upper bound;
    - all margins are 0 (any T fits): 1.

    Raises:
        DataError: No pair, a value that is not finite, or a probability outside [0, 1].
    """
    delta, prob = _checked(margins, prob_chosen)
    if not len(delta):
        raise DataError("no pair to fit a temperature on", wanted="held-out pairs", fix="hold some pairs out")
    scale = float(np.sqrt(np.mean(delta**2)))
    if scale == 0:
        return 1.0
    unit = delta / scale

    def loss(log_temperature: float) -> float:
        return float(_log_loss(unit / np.exp(log_temperature), prob).mean())

    bounds = (np.log(_LOWEST), np.log(_HIGHEST))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-7})
    best = min((float(found.x), *bounds), key=loss)
    return scale * float(np.exp(best))


def log_losses(
    margins: Float[np.ndarray, " pair"],
    prob_chosen: Float[np.ndarray, " pair"] | None = None,
    *,
    temperature: float = 1.0,
) -> Float[np.ndarray, " pair"]:
    """−p·log σ(Δ/T) − (1 − p)·log σ(−Δ/T) of each pair, in nats; the same in both orders.

    log 2 for a model that does not know.
    """
    delta, prob = _checked(margins, prob_chosen)
    return _log_loss(delta / temperature, prob)


def squared_errors(
    margins: Float[np.ndarray, " pair"],
    prob_chosen: Float[np.ndarray, " pair"] | None = None,
    *,
    temperature: float = 1.0,
) -> Float[np.ndarray, " pair"]:
    """(σ(Δ/T) − p)² of each pair (Brier 1950); the same in both orders. ¼ for a model that does not know."""
    delta, prob = _checked(margins, prob_chosen)
    return (expit(delta / temperature) - prob) ** 2


def expected_calibration_error(
    margins: Float[np.ndarray, " pair"],
    prob_chosen: Float[np.ndarray, " pair"] | None = None,
    *,
    temperature: float = 1.0,
    bins: int = 10,
) -> float:
    """Σ_bins (points in the bin / all points)·|predicted − observed| over bins of equal mass, both orders counted.

    The bins are those of `reliability`. With few pairs it is above 0 for a perfect model too (each bin's noise
    counts), so it is compared between models on the same pairs, not with 0. NaN without pairs.
    """
    delta, prob = _checked(margins, prob_chosen)
    if not len(delta):
        return float("nan")
    predicted, observed, bin_of_point = _points(delta / temperature, prob, bins)
    gaps = np.bincount(bin_of_point, weights=observed - predicted)
    return float(np.abs(gaps).sum() / len(predicted))


def reliability(
    margins: Float[np.ndarray, " pair"],
    prob_chosen: Float[np.ndarray, " pair"] | None = None,
    *,
    temperature: float = 1.0,
    bins: int = 10,
    groups: Groups | None = None,
    seed: int = 0,
) -> list[ReliabilityBin]:
    """Bins of equal mass of σ(±Δ/T), from the lowest to the highest predicted probability.

    Points with equal Δ stay in one bin, so that the order in which they stand cannot matter; bins that are left
    empty by this are not returned.

    Args:
        groups: Prompt group of each pair, for the intervals; each pair is its own group where absent.
    """
    delta, prob = _checked(margins, prob_chosen)
    names = np.arange(len(delta)) if groups is None else np.asarray(groups)
    predicted, observed, bin_of_point = _points(delta / temperature, prob, bins)
    names = np.concatenate([names, names])
    result = []
    for number in np.unique(bin_of_point):
        here = bin_of_point == number
        share = ratio_bootstrap(observed[here], np.ones(int(here.sum())), names[here], draws=1000, seed=seed)
        result.append(ReliabilityBin(float(predicted[here].mean()), share.value, share.low, share.high, share.n))
    return result


def _points(logits: np.ndarray, prob: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predicted probability, label and bin of each point: all pairs as labelled, then all pairs swapped."""
    signed = np.concatenate([logits, -logits])
    _, place, counts = np.unique(signed, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    bin_of_value = np.minimum((middle / max(1, len(signed)) * bins).astype(np.int64), bins - 1)
    return expit(signed), np.concatenate([prob, 1 - prob]), bin_of_value[place.reshape(-1)]


def _log_loss(logits: np.ndarray, prob: np.ndarray) -> np.ndarray:
    return prob * np.logaddexp(0, -logits) + (1 - prob) * np.logaddexp(0, logits)


def _checked(margins: np.ndarray, prob_chosen: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    delta = np.asarray(margins, dtype=np.float64)
    prob = np.ones(len(delta)) if prob_chosen is None else np.asarray(prob_chosen, dtype=np.float64)
    if len(prob) != len(delta):
        raise DataError("margins and probabilities differ in length", wanted=f"{len(delta)}", got=len(prob))
    if not np.isfinite(delta).all():
        where = int(np.flatnonzero(~np.isfinite(delta))[0])
        raise DataError("margin is not finite", where=f"pair {where}", got=float(delta[where]))
    if not ((prob >= 0) & (prob <= 1)).all():
        where = int(np.flatnonzero(~((prob >= 0) & (prob <= 1)))[0])
        raise DataError("probability outside [0, 1]", where=f"pair {where}", got=float(prob[where]))
    return delta, prob
