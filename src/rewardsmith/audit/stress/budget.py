"""The KL budget of a reward: how far it may be followed before what it gains is no longer shown to be worth more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.probes.measure import FEWEST_GROUPS
from rewardsmith.core.finding import Estimate, Finding
from rewardsmith.numerics.intervals import Groups
from rewardsmith.numerics.overoptimisation import (
    FEWEST_POINTS,
    Form,
    Overoptimisation,
    fit_overoptimisation,
    gain_at,
    size_for_nats,
)

_SHOWN = 40
_FORMULAS: dict[Form, str] = {"best-of-n": "d·(α − β·d)", "rl": "d·(α − β·log d)"}


@dataclass(frozen=True, slots=True)
class Budget:
    """The fitted curve of true gain, and how much KL may be spent on the reward.

    Gains are in standard deviations of the gold rating within a prompt, over the initial policy.

    Attributes:
        form: Which of the two curves of Gao et al. (2022).
        alpha: Gain per √nat at the start.
        beta: What turns it; at or below zero the curve does not turn.
        peak_nats: Where the curve is highest; infinite where it does not turn. May lie beyond what was measured.
        nats: The budget: the largest KL that was measured at which the lower end of the curve's interval still rises;
            0 where it never does.
        n: The n of best-of-n that spends it; absent for RL.
        gain: By the curve, there; the interval is that of the curve, for all prompts like these.
        predicted: The same for the mean of as many other prompts: where it will come out.
        is_open: It still rises at the last point: more may be spent than was measured.
        most_nats: The last point.
        misfit: Root mean square distance of the measured means from the curve.
        curve: KL in nats, gain, and both ends, in steps of equal √KL.
        prompts: Prompt groups.
    """

    form: Form
    alpha: Estimate
    beta: Estimate
    peak_nats: Estimate
    nats: float
    n: int | None
    gain: Estimate
    predicted: Estimate
    is_open: bool
    most_nats: float
    misfit: float
    curve: tuple[tuple[float, float, float, float], ...]
    prompts: int


def measure_budget(
    nats: Sequence[float], gains: Float[np.ndarray, "prompt point"], groups: Groups, *, form: Form, seed: int = 0
) -> Budget | Absent:
    """Fit the curve and read the budget off it.

    Args:
        nats: KL of each point, at least 0.
        gains: Gold of what was picked at each point, less that of the initial policy, prompt by prompt.
        groups: Prompt group of each row.
        form: Which curve.
        seed: Of the resamples.
    """
    kl = np.asarray(nats, dtype=np.float64)
    beyond = len(np.unique(kl[kl > 0]))
    if beyond < FEWEST_POINTS:
        return Absent(f"A curve of two parameters needs {FEWEST_POINTS} different KL above 0; there are {beyond}.")
    fit = fit_overoptimisation(kl, gains, groups, form=form, seed=seed)
    missed = (gains.mean(axis=0) - gain_at(kl, fit.alpha.value, fit.beta.value, form=form))[kl > 0]
    return Budget(
        form=form,
        alpha=fit.alpha,
        beta=fit.beta,
        peak_nats=fit.peak_nats,
        nats=fit.budget_nats,
        n=size_for_nats(fit.budget_nats) if form == "best-of-n" else None,
        gain=fit.at_budget,
        predicted=fit.predicted,
        is_open=fit.is_open,
        most_nats=float(kl.max()),
        misfit=float(np.sqrt(np.mean(missed**2))),
        curve=_curve(fit),
        prompts=fit.alpha.groups,
    )


def budget_finding(name: str, budget: Budget, *, unit: str) -> Finding:
    """The budget as a finding. It is a fact to spend and no alarm: whether it is enough is for a policy to say.

    It has no interval of its own, since it is read off the lower end of one.

    Args:
        name: Of the finding.
        budget: What was found.
        unit: `nats`, or `selection nats` where the candidates are no draws of one policy.
    """
    estimate = Estimate(budget.nats, math.nan, math.nan, budget.gain.n, budget.prompts)
    told = f"{_told(budget, unit)} {_peak(budget, unit)}"
    if budget.prompts < FEWEST_GROUPS:
        told = f"Too few prompts for a verdict: {budget.prompts}, at least {FEWEST_GROUPS} are needed. {told}"
    return Finding(name, estimate, "info", told, unit=unit)


def formula(budget: Budget) -> str:
    """The fitted form with its numbers in words: `R(d) = d·(α − β·d), d = √KL; α = 0.61 [0.40, 0.80], …`."""
    ends = ", ".join(
        f"{name} = {one.value:.3g} [{one.low:.3g}, {one.high:.3g}]"
        for name, one in (("α", budget.alpha), ("β", budget.beta))
    )
    return (
        f"R(d) = {_FORMULAS[budget.form]}, d = √KL; {ends}; the form misses the measured means by {budget.misfit:.2g}"
    )


def _told(budget: Budget, unit: str) -> str:
    if budget.nats == 0:
        return "No KL may be spent on this reward: the lower end of the interval of the gold gain never rises above 0."
    spends = f", which best of {budget.n} spends" if budget.n is not None else ""
    after = " Beyond, nothing was measured." if budget.is_open else " Beyond, more is not shown to be better."
    gain = f"{budget.gain.value:+.2f} [{budget.gain.low:+.2f}, {budget.gain.high:+.2f}]"
    other = f"{budget.predicted.low:+.2f} to {budget.predicted.high:+.2f}"
    return (
        f"The reward may be followed for {budget.nats:.2f} {unit}{spends}; there gold gains {gain} standard deviations "
        f"within a prompt, and on as many other prompts {other} are to be expected.{after}"
    )


def _peak(budget: Budget, unit: str) -> str:
    peak = budget.peak_nats.value
    if peak > budget.most_nats:
        return f"The curve does not turn within the {budget.most_nats:.2f} {unit} that were measured."
    return f"The curve is highest at {peak:.2f} {unit}."


def _curve(fit: Overoptimisation) -> tuple[tuple[float, float, float, float], ...]:
    places = np.unique(np.linspace(0, len(fit.kl_nats) - 1, _SHOWN).round().astype(int))
    table = np.column_stack([fit.kl_nats, fit.gain, fit.low, fit.high])[places]
    return tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in table)
