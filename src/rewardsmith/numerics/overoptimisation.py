"""Over-optimisation: how far a reward can be pursued before the true value of what it picks turns.

With d = √KL between the optimised and the initial policy, in √nats, the true gain is well described by

    best of n   R(d) = d·(α − β·d)       peak at d = α/2β
    RL          R(d) = d·(α − β·log d)   peak at d = exp(α/β − 1)

(Gao, Schulman & Hilton 2022, arXiv:2210.10760, eq. 1). Both are linear in α and β, so the fit is a least-squares one.
Unlike there, R is fitted to gains over the initial policy on the same prompts, and every interval resamples prompts.

Two intervals, which must not be taken for each other: that of the *curve* says where the gain lies on average over all
prompts that these could have been drawn from, and decides the budget; the *predicted* one says where the mean of some
other prompts will come out, and is wider, since those are drawn too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64
from scipy.stats import norm
from scipy.stats import t as student

from rewardsmith.core.errors import DataError
from rewardsmith.core.finding import Estimate
from rewardsmith.numerics.best_of_n import best_of_n_nats
from rewardsmith.numerics.intervals import CONFIDENCE, DRAWS, Groups, draw_counts, encode_groups

Form = Literal["best-of-n", "rl"]

FEWEST_POINTS = 3
_GRID = 400


@dataclass(frozen=True, slots=True)
class Overoptimisation:
    """A fitted curve of true gain against KL, and how far it may be followed.

    Attributes:
        form: Which of the two curves.
        alpha: Gain per √nat at the start.
        beta: What turns it; at or below zero the curve does not turn.
        peak_nats: KL at the peak of the curve; infinite where it does not turn.
        budget_nats: The largest KL at which the lower end of the interval of the gain still rises, within what was
            measured; 0 where it never rises.
        at_budget: Gain there, by the curve.
        predicted: Mean gain there of as many other prompts, by `predict_gain`.
        is_open: The lower end still rises at the largest KL that was measured: the budget is what was measured, and
            more would show more.
        kl_nats: Grid of the curve.
        gain: Fitted gain on the grid.
        low: Lower end of its interval.
        high: Upper end of its interval.
    """

    form: Form
    alpha: Estimate
    beta: Estimate
    peak_nats: Estimate
    budget_nats: float
    at_budget: Estimate
    predicted: Estimate
    is_open: bool
    kl_nats: Float64[np.ndarray, " grid"]
    gain: Float64[np.ndarray, " grid"]
    low: Float64[np.ndarray, " grid"]
    high: Float64[np.ndarray, " grid"]


def gain_at(
    kl_nats: Float[np.ndarray, " point"], alpha: float, beta: float, *, form: Form
) -> Float64[np.ndarray, " point"]:
    """R at each KL.

    Raises:
        DataError: A KL is below zero or not finite.
    """
    return _basis(kl_nats, form) @ np.array([alpha, beta])


def peak_nats(alpha: float, beta: float, *, form: Form) -> float:
    """KL at which R is largest: (α/2β)² or exp(α/β − 1)²; infinite where β ≤ 0 < α, 0 where it falls from the start.

    The curve of RL rises at first whatever α is, because −log d is large near 0.
    """
    if beta <= 0:
        return np.inf if alpha > 0 else 0.0
    if form == "best-of-n":
        return max(alpha, 0.0) ** 2 / (4 * beta**2)
    # Beyond exp(700) a float ends; a peak there is none.
    return float(np.exp(min(2 * (alpha / beta - 1), 700.0)))


def fit_overoptimisation(
    kl_nats: Float[np.ndarray, " point"],
    gains: Float[np.ndarray, "prompt column"],
    groups: Groups,
    *,
    form: Form,
    draws: int = DRAWS,
    seed: int = 0,
) -> Overoptimisation:
    """Fit R to the mean gains; intervals are percentiles over resampled prompt groups.

    Plain percentiles are too narrow for a few groups. They are taken further out, by as much as makes them as wide for
    a mean as Student's t (the expanded percentile interval of Hesterberg 2015, doi:10.1080/00031305.2015.1089789).

    Args:
        kl_nats: KL of each point, not all equal. A point at 0 says nothing and is allowed.
        gains: True value of what was picked at each point, less that of the initial policy, prompt by prompt.
        groups: Prompt group of each row.

    Raises:
        DataError: Fewer than three points beyond zero, a number that is not finite, a KL below zero, or no prompt.
    """
    solver = _solver(kl_nats, gains, form)
    value = gains.mean(axis=0) @ solver
    samples = _resampled_means(gains, groups, draws=draws, seed=seed) @ solver
    # Squaring a root rounds, and nothing is known beyond the last point.
    grid = np.minimum(np.linspace(0.0, np.sqrt(np.max(kl_nats)), _GRID) ** 2, np.max(kl_nats))
    curve, curves = _basis(grid, form) @ value, samples @ _basis(grid, form).T
    n_groups = len(set(groups))
    low, high = _ends(curves, n_groups)
    place = _last_rise(low, first=int(np.searchsorted(grid, min(kl for kl in kl_nats if kl > 0))))

    def estimate(number: float, sampled: np.ndarray) -> Estimate:
        ends = _ends(sampled, n_groups)
        return Estimate(float(number), float(ends[0]), float(ends[1]), len(gains), n_groups)

    return Overoptimisation(
        form=form,
        alpha=estimate(value[0], samples[:, 0]),
        beta=estimate(value[1], samples[:, 1]),
        peak_nats=estimate(
            peak_nats(*value, form=form), np.array([peak_nats(*pair, form=form) for pair in samples], dtype=np.float64)
        ),
        budget_nats=float(grid[place]),
        at_budget=estimate(curve[place], curves[:, place]),
        predicted=predict_gain(kl_nats, gains, groups, at_nats=float(grid[place]), form=form),
        is_open=place == _GRID - 1,
        kl_nats=grid,
        gain=curve,
        low=low,
        high=high,
    )


def predict_gain(
    kl_nats: Float[np.ndarray, " point"],
    gains: Float[np.ndarray, "prompt column"],
    groups: Groups,
    *,
    at_nats: float,
    form: Form,
    new_groups: int | None = None,
) -> Estimate:
    """The mean gain of *other* prompts at one KL, with the interval that holds it in 95% of the cases.

    value = R(at_nats) of the fit; ends = value ± t·√(s²_fit/G + s²_new/G′ + m²), t of Student with G − 1 degrees.

    s_fit: how the prompts differ in what they add to the fitted curve there; s_new: how they differ in the gain itself
    there, between the measured points by a straight line; m: how far the form misses the measured means (root mean
    square, k points less two), since a curve of two parameters is not the truth. Two halves of one pool differ by as
    much as two independent samples of its size, so the same interval is right for them.

    Args:
        kl_nats: As in `fit_overoptimisation`, and so are `gains` and `groups`.
        at_nats: Where; not beyond the largest KL that was measured.
        new_groups: Prompt groups G′ of the other sample; as many as here where absent.

    Raises:
        DataError: As in `fit_overoptimisation`, or `at_nats` is beyond what was measured.
    """
    solver, kl = _solver(kl_nats, gains, form), np.asarray(kl_nats, dtype=np.float64)
    if not 0 <= at_nats <= kl.max():
        raise DataError("no gain was measured there", wanted=f"0 to {kl.max():.4g} nats", got=at_nats)
    codes, n_groups = encode_groups(gains, groups)
    if at_nats == 0:
        return Estimate(0.0, 0.0, 0.0, len(gains), n_groups)
    means = gains.mean(axis=0)
    value = float(_basis(np.array([at_nats]), form)[0] @ (means @ solver))
    if n_groups < 2:
        return Estimate(value, np.nan, np.nan, len(gains), n_groups)
    fitted = gains @ (solver @ _basis(np.array([at_nats]), form)[0])
    residuals = (means - _basis(kl, form) @ (means @ solver))[kl > 0]
    variance = _group_variance(fitted, codes, n_groups) / n_groups
    variance += _group_variance(_between(kl, gains, at_nats), codes, n_groups) / (new_groups or n_groups)
    variance += float(residuals @ residuals) / (len(residuals) - 2)
    reach = float(student.ppf((1 + CONFIDENCE) / 2, n_groups - 1)) * float(np.sqrt(variance))
    return Estimate(value, value - reach, value + reach, len(gains), n_groups)


def size_for_nats(kl_nats: float, *, largest: int = 1 << 20) -> int:
    """The largest n whose best-of-n stays within the KL: log n − (n − 1)/n ≤ KL.

    Args:
        largest: Where the search ends.

    Raises:
        DataError: The KL is below zero or NaN.
    """
    if not kl_nats >= 0:
        raise DataError("no such KL", wanted="at least 0 nats", got=kl_nats)
    low, high = 1, largest
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if best_of_n_nats(middle) <= kl_nats else (low, middle - 1)
    return low


def _basis(kl_nats: Float[np.ndarray, " point"], form: Form) -> Float64[np.ndarray, "point 2"]:
    """Columns that α and β are multiplied with: d, and −d² or −d·log d (0 at d = 0)."""
    kl = np.asarray(kl_nats, dtype=np.float64)
    if not (np.isfinite(kl).all() and (kl >= 0).all()):
        raise DataError("no such KL", wanted="at least 0 nats, finite", got=kl.tolist())
    d = np.sqrt(kl)
    turning = d**2 if form == "best-of-n" else d * np.log(np.where(d > 0, d, 1.0))
    return np.column_stack([d, -turning])


def _solver(
    kl_nats: Float[np.ndarray, " point"], gains: Float[np.ndarray, "prompt column"], form: Form
) -> Float64[np.ndarray, "point 2"]:
    """What mean gains are multiplied with to give α and β of the least-squares fit."""
    basis = _basis(kl_nats, form)
    if gains.ndim != 2 or gains.shape[1] != len(kl_nats) or not len(gains):
        raise DataError("gains of other points", wanted=f"[prompt, {len(kl_nats)}]", got=gains.shape)
    if len({float(kl) for kl in kl_nats if kl > 0}) < FEWEST_POINTS:
        raise DataError(
            "too few points for a curve of two parameters",
            wanted=f"at least {FEWEST_POINTS} different KL above 0",
            got=np.asarray(kl_nats).tolist(),
            fix="measure at more sizes, or at more moments of the run",
        )
    return np.linalg.pinv(basis).T


def _ends(samples: Float[np.ndarray, " draw *column"], n_groups: int) -> Float64[np.ndarray, " end *column"]:
    """Both ends of the percentile interval, widened for few groups; NaN without draws.

    Infinity, the peak of a curve that does not turn, counts as large and is not left out.
    """
    if not len(samples):
        return np.full((2, *samples.shape[1:]), np.nan)
    reach = np.sqrt(n_groups / (n_groups - 1)) * student.ppf((1 + CONFIDENCE) / 2, n_groups - 1)
    tail = float(norm.cdf(-reach))
    # Between two draws, one of which is infinite, there is no number.
    method = "linear" if np.isfinite(samples).all() else "nearest"
    return np.quantile(samples, [tail, 1 - tail], axis=0, method=method)


def _group_variance(values: Float64[np.ndarray, " prompt"], codes: np.ndarray, n_groups: int) -> float:
    """Variance, over groups, of what each adds to the mean of all rows; divided by the groups it is that mean's."""
    sizes = np.bincount(codes, minlength=n_groups)
    added = np.bincount(codes, weights=values - values.mean(), minlength=n_groups) / sizes.mean()
    return float(added @ added) / (n_groups - 1)


def _between(
    kl_nats: Float64[np.ndarray, " point"], gains: Float[np.ndarray, "prompt point"], at_nats: float
) -> Float64[np.ndarray, " prompt"]:
    """Each prompt's gain at one KL, on straight lines between the points and nought at 0; equal KL are averaged."""
    known, places = np.unique(kl_nats, return_inverse=True)
    shares = (places == np.arange(len(known))[:, None]) / np.bincount(places)[:, None]
    columns = gains @ shares.T
    if known[0] > 0:
        known, columns = np.append(0.0, known), np.column_stack([np.zeros(len(gains)), columns])
    right = max(1, int(np.searchsorted(known, at_nats)))
    share = (at_nats - known[right - 1]) / (known[right] - known[right - 1])
    return (1 - share) * columns[:, right - 1] + share * columns[:, right]


def _resampled_means(
    gains: Float[np.ndarray, "prompt point"], groups: Groups, *, draws: int, seed: int
) -> Float64[np.ndarray, "draw point"]:
    """Mean gains of resampled prompt groups; no draw where there is one group, which says nothing of how they vary."""
    codes, n_groups = encode_groups(gains, groups)
    sums = np.zeros((n_groups, gains.shape[1]))
    np.add.at(sums, codes, gains)
    sizes = np.bincount(codes, minlength=n_groups)
    chunks = draw_counts(n_groups, draws=draws if n_groups > 1 else 0, seed=seed)
    means = [(counts @ sums) / (counts @ sizes)[:, None] for counts in chunks]
    return np.concatenate([np.empty((0, gains.shape[1])), *means])


def _last_rise(low: Float64[np.ndarray, " grid"], *, first: int) -> int:
    """Where the curve stops rising, from the first measured point on; 0 where it is not above its start there.

    Before the first point the form speaks, and no measurement.
    """
    rises = np.diff(low)[first:] > 0
    place = first + (int(np.argmin(rises)) if not rises.all() else len(rises))
    return place if low[place] > 0 else 0
