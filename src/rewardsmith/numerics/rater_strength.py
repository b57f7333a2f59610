"""Bradley–Terry with a strength for each rater: whose votes tell how much, and how much better one answer is.

Rater r prefers the first answer of comparison t with probability σ(β_r·d_t), where d_t is how much better that answer
is and β_r ≥ 0 how sharply the rater tells answers apart: 0 flips a coin, ∞ never errs. d_t is drawn from N(0, 1), which
fixes the scale. So a comparison is a person and a rater an item of the two-parameter logistic model, and β is found by
marginal maximum likelihood (Bock & Aitkin 1981), which sums over what d_t may be. Fitting d_t and β_r side by side, as
Crowd-BT (Chen et al. 2013) and `crowd-kit` do, overstates both where a comparison has few votes, as it always has.

β has the prior Gamma(2, mode 2), which keeps a rater of five votes away from 0 and from ∞ (Chung et al. 2013). Who is
reliably wrong gets a strength near 0: votes are never read as their opposite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from rewardsmith.core.errors import DataError

_PRIOR_MODE = 2.0
_NODES = 41
_LEAST, _MOST = 1e-3, 50.0


@dataclass(frozen=True, slots=True)
class RaterStrengths:
    """What the votes say of raters and comparisons.

    Attributes:
        strength: β of each rater; the prior's mode for one without votes.
        difference: Expected d of each comparison, in standard deviations of answers; 0 where nobody voted.
        prob_first: Probability that the first answer is the better one, d > 0; .5 where nobody voted.
        converged: The optimiser says so.
    """

    strength: Float64[np.ndarray, " rater"]
    difference: Float64[np.ndarray, " comparison"]
    prob_first: Float64[np.ndarray, " comparison"]
    converged: bool


def rater_strengths(
    comparisons: Int[np.ndarray, " vote"],
    raters: Int[np.ndarray, " vote"],
    credits: Float[np.ndarray, " vote"],
    *,
    shape: tuple[int, int],
) -> RaterStrengths:
    """Strengths of the raters by marginal maximum likelihood, and the comparisons in their light.

    Args:
        comparisons: Number of the comparison of each vote.
        raters: Number of the rater of each vote.
        credits: 1 for the first answer, 0 for the second, ½ for a tie, which counts as half a vote for each.
        shape: How many comparisons and raters there are.

    Raises:
        DataError: A number is outside `shape`, or a credit outside [0, 1].
    """
    _require_votes(comparisons, raters, credits, shape=shape)
    points, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    log_weights = np.log(weights / weights.sum())

    def posterior(strength: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of each comparison over the points, and the log-likelihood of its votes."""
        reach = strength[raters][:, None] * points
        votes = credits[:, None] * log_expit(reach) + (1 - credits)[:, None] * log_expit(-reach)
        joint = np.tile(log_weights, (shape[0], 1))
        np.add.at(joint, comparisons, votes)
        likelihood = np.logaddexp.reduce(joint, axis=1)
        return np.exp(joint - likelihood[:, None]), likelihood

    def loss(strength: np.ndarray) -> tuple[float, np.ndarray]:
        """Minus the log-posterior of the strengths, and its gradient."""
        shares, likelihood = posterior(strength)
        missed = (credits[:, None] - expit(strength[raters][:, None] * points)) * points
        slope = np.bincount(raters, weights=(shares[comparisons] * missed).sum(axis=1), minlength=shape[1])
        prior = np.log(strength) - strength / _PRIOR_MODE
        return -float(likelihood.sum() + prior.sum()), -(slope + 1 / strength - 1 / _PRIOR_MODE)

    start = np.full(shape[1], _PRIOR_MODE)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(_LEAST, _MOST)] * shape[1])
    shares, _ = posterior(found.x)
    above = shares[:, points > 1e-9].sum(axis=1) + shares[:, np.abs(points) <= 1e-9].sum(axis=1) / 2
    return RaterStrengths(np.asarray(found.x, dtype=np.float64), shares @ points, above, bool(found.success))


def weighted_scores(
    pairs: Sequence[tuple[int, int]],
    credits: Float[np.ndarray, " vote"],
    strengths: Float[np.ndarray, " vote"],
    *,
    items: int,
    rounds: int = 50,
) -> Float64[np.ndarray, " item"]:
    """The most probable worth of each of several answers to one prompt, from votes on pairs of them, with mean 0.

    Maximises Σ_v log σ(±β_v·(s_i − s_j)) − Σ_i s_i²: worths are drawn from N(0, ½), so that their differences are drawn
    from N(0, 1) as in `rater_strengths`. By Newton's method on a concave function. Without votes all are 0.

    Args:
        pairs: The two answers that each vote compares.
        credits: 1 where the first of them was preferred, 0 where the second, ½ for a tie.
        strengths: β of the rater of each vote.

    Raises:
        DataError: There is not one credit and one strength a pair, or a pair names no two answers.
    """
    if not len(pairs) == len(credits) == len(strengths):
        raise DataError(
            "votes differ in length", wanted=f"{len(pairs)} credits and strengths", got=(len(credits), len(strengths))
        )
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    if ((table < 0) | (table >= items)).any() or (table[:, 0] == table[:, 1]).any():
        raise DataError("a comparison of no two answers", wanted=f"two different numbers below {items}", got=pairs)
    design = np.zeros((len(table), items))
    design[np.arange(len(table)), table[:, 0]] = strengths
    design[np.arange(len(table)), table[:, 1]] -= strengths
    worth = np.zeros(items)
    for _ in range(rounds):
        chance = expit(design @ worth)
        slope = design.T @ (credits - chance) - 2 * worth
        curvature = design.T @ (design * (chance * (1 - chance))[:, None]) + 2 * np.eye(items)
        step = np.linalg.solve(curvature, slope)
        # A damped step: from 0, a full one may overshoot where strengths are large.
        worth = worth + step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-10:
            break
    return worth - worth.mean()


def _require_votes(comparisons: np.ndarray, raters: np.ndarray, credits: np.ndarray, *, shape: tuple[int, int]) -> None:
    for name, column, size in zip(("comparison", "rater"), (comparisons, raters), shape, strict=True):
        if len(column) and not 0 <= column.min() <= column.max() < size:
            raise DataError(f"number of a {name} outside its range", wanted=f"0 to {size - 1}", got=int(column.max()))
    if len(credits) and not (credits.min() >= 0 and credits.max() <= 1):
        raise DataError("not a credit", wanted="numbers from 0 to 1", got=float(credits.max()))
