"""Reward models of different cohorts (helpful, harmless) as one reward, so that the loudest does not win.

The scale of a reward model is arbitrary: one that was trained longer has larger differences, and in a plain sum of two
models it decides alone. The ways here to bring the members to one scale, or to keep one from being sold for another:

- `sum`: Σ r. No common scale; what the others are held against.
- `standardised`: Σ z with z = (r − offset) / scale of a shared reference set (`combination.Standard`).
- `log-odds`: Σ r / T, each T fitted on the member's own cohort. Δ / T is the log-odds that the member, calibrated,
  gives to the first of two responses; the sum is what independent judges with a common prior say together.
- `constrained`: z_o − λ·Σ_{k ≠ o} max(0, τ_k − z_k): the objective o, and a penalty on every other member's shortfall
  below its threshold. As λ grows, a response below a threshold is chosen only where all are. (An exact constraint has
  no value for a response that breaks it.) The thresholds lie on the reference set's scale, not within a prompt: a
  reward must not depend on which other responses are scored with it.
- `worst-cohort`: min z, the response that the least content cohort likes best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Float64

from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.numerics.combination import Standard, standardise, worst

MergeRule = Literal["sum", "standardised", "log-odds", "constrained", "worst-cohort"]
"""How members become one reward."""

RULES: tuple[MergeRule, ...] = get_args(MergeRule)


@dataclass(frozen=True, slots=True)
class Constraint:
    """What is sought, and what may not be given up for it.

    Attributes:
        objective: Number of the member that is to be as high as possible.
        thresholds: `[member]`, in standard deviations of the reference set; the objective's own is not used.
        strength: λ: what one standard deviation below a threshold costs, in standard deviations of the objective.

    Raises:
        DataError: There is no such member, a threshold is not finite, or λ is negative.
    """

    objective: int
    thresholds: Float64[np.ndarray, " member"]
    strength: float

    def __post_init__(self) -> None:
        if not 0 <= self.objective < len(self.thresholds):
            raise DataError("no such member", wanted=f"0 to {len(self.thresholds) - 1}", got=self.objective)
        if not np.isfinite(self.thresholds).all():
            raise DataError("a threshold is not finite", got=self.thresholds.tolist())
        if not (np.isfinite(self.strength) and self.strength >= 0):
            raise DataError("unusable strength of a constraint", wanted="a number of at least 0", got=self.strength)


@dataclass(frozen=True, slots=True)
class Merge:
    """A rule with what it was fitted to.

    Attributes:
        rule: One of `RULES`.
        standard: Offsets and scales of the members, for all rules but `sum` and `log-odds`.
        temperatures: `[member]`, above 0, for `log-odds`.
        constraint: For `constrained`.

    Raises:
        SettingsError: The rule is unknown, or what it needs is not there.
        DataError: A temperature is not above 0.
    """

    rule: MergeRule
    standard: Standard | None = None
    temperatures: Float64[np.ndarray, " member"] | None = None
    constraint: Constraint | None = None

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise SettingsError("unknown rule", wanted=f"one of {', '.join(RULES)}", got=self.rule, where="rule")
        needs = {"log-odds": "temperatures", "sum": None}.get(self.rule, "standard")
        for name in (needs, "constraint" if self.rule == "constrained" else None):
            if name is not None and getattr(self, name) is None:
                raise SettingsError(f"the rule {self.rule} needs more", wanted=name, where="rule")
        if self.temperatures is not None and not (np.isfinite(self.temperatures) & (self.temperatures > 0)).all():
            raise DataError("a temperature is not above 0", got=self.temperatures.tolist())

    def parts(self, rewards: Float[np.ndarray, "member response"]) -> Float64[np.ndarray, "member response"]:
        """What of each member is put together: r, z or r / T.

        Raises:
            DataError: There are not as many members as the rule was fitted for.
        """
        values = np.asarray(rewards, dtype=np.float64)
        if self.rule == "log-odds" and self.temperatures is not None:
            return values / _per_member(self.temperatures, len(values))
        return values if self.standard is None or self.rule == "sum" else standardise(values, self.standard)

    def __call__(self, rewards: Float[np.ndarray, "member response"]) -> Float64[np.ndarray, " response"]:
        """One reward a response.

        Raises:
            DataError: There are not as many members as the rule was fitted for.
        """
        parts = self.parts(rewards)
        if self.rule == "worst-cohort":
            return worst(parts)
        if self.rule == "constrained" and self.constraint is not None:
            return constrained(parts, self.constraint)
        return parts.sum(axis=0)


def constrained(
    standardised: Float[np.ndarray, "member response"], constraint: Constraint
) -> Float64[np.ndarray, " response"]:
    """z_o − λ·Σ_{k ≠ o} max(0, τ_k − z_k).

    Raises:
        DataError: There are not as many members as thresholds.
    """
    shortfall = np.maximum(0.0, _per_member(constraint.thresholds, len(standardised)) - standardised)
    others = np.arange(len(standardised)) != constraint.objective
    return standardised[constraint.objective] - constraint.strength * shortfall[others].sum(axis=0)


def merge_linear(
    weights: Float[np.ndarray, "member hidden"], biases: Float[np.ndarray, " member"], standard: Standard
) -> tuple[Float64[np.ndarray, " hidden"], float]:
    """The one linear head that gives Σ z of linear heads over the same features: w = Σ w_k / s_k,
    b = Σ (b_k − offset_k) / s_k.

    Merged so, two heads cost what one costs.

    Raises:
        DataError: There are not as many heads as the standard was made for.
    """
    columns = standardise(np.column_stack([weights, biases]), Standard(np.zeros(len(standard)), standard.scales))
    total = columns.sum(axis=0)
    return total[:-1], float(total[-1] - (standard.offsets / standard.scales).sum())


def _per_member(values: Float64[np.ndarray, " member"], members: int) -> Float64[np.ndarray, "member 1"]:
    if len(values) != members:
        raise DataError("a merge of other members", wanted=f"{len(values)} members", got=members)
    return values[:, None]
