"""Several members' rewards as one: first on a common scale, then combined.

The scale and the offset of a reward model are arbitrary: Bradley–Terry does not see an offset, and a longer training
makes every difference larger. Without a common scale the loudest member wins, and the worst case is always the member
with the lowest offset. So members are standardised on one reference set before anything is combined.

A reward model is free in an offset for each *prompt* as well, which one offset a member cannot take away; where many
candidates of a prompt are there, `centred` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Float64

from rewardsmith.core.errors import DataError
from rewardsmith.numerics.intervals import Groups, encode_groups

Rule = Literal["mean", "worst", "penalised"]
RULES: tuple[Rule, ...] = get_args(Rule)

# Rewards are float32: a spread that small is rounding.
_ROUNDING = 4 * float(np.finfo(np.float32).eps)


@dataclass(frozen=True, slots=True)
class Standard:
    """What is taken from each member's rewards, and what they are then divided by.

    Attributes:
        offsets: `[member]`, in the member's own units.
        scales: `[member]`, above 0, in the member's own units.

    Raises:
        DataError: The two differ in number, one is not finite, or a scale is not above 0.
    """

    offsets: Float64[np.ndarray, " member"]
    # As many as offsets, which is checked below.
    scales: Float64[np.ndarray, " scale"]

    def __post_init__(self) -> None:
        if len(self.offsets) != len(self.scales):
            raise DataError("offsets and scales differ in number", wanted=f"{len(self.offsets)}", got=len(self.scales))
        known = np.isfinite(self.offsets) & np.isfinite(self.scales) & (self.scales > 0)
        if not known.all():
            number = int(np.flatnonzero(~known)[0])
            raise DataError(
                "unusable standard",
                wanted="a finite offset and a scale above 0",
                got=f"{self.offsets[number]} and {self.scales[number]}",
                where=f"member {number}",
            )

    def __len__(self) -> int:
        return len(self.offsets)


def standard_of(
    rewards: Float[np.ndarray, "member response"], groups: Groups, *, names: Sequence[str] | None = None
) -> Standard:
    """The standard that gives each member mean 0 and within-prompt standard deviation 1 on a reference set.

    offset = mean of the member's rewards; scale = √(Σ (r − prompt's mean)² / Σ (responses of the prompt − 1)), the
    pooled standard deviation: rewards can be compared within a prompt only, so what prompts differ by is no scale.

    Args:
        groups: `[response]`, the prompt of each response.
        names: Of the members, for errors; their numbers where absent.

    Raises:
        DataError: The lengths differ, a reward is not finite, no prompt has two responses, or a member gives all
            responses of a prompt the same reward, whatever the prompt.
    """
    values = np.asarray(rewards, dtype=np.float64)
    codes, n_groups = encode_groups(values.T, groups)
    freedom = len(codes) - n_groups
    if freedom < 1:
        raise DataError(
            "members cannot be standardised", wanted="a prompt with two responses", got=f"{n_groups} prompts of one"
        )
    scales = np.sqrt((_within(values, codes, n_groups) ** 2).sum(axis=1) / freedom)
    for number, (scale, largest) in enumerate(zip(scales, np.abs(values).max(axis=1), strict=True)):
        if scale <= _ROUNDING * largest:
            raise DataError(
                "a member gives all responses of a prompt the same reward",
                wanted="a member that tells responses apart",
                got=f"a within-prompt standard deviation of {scale:.2g}",
                where=f"member {number if names is None else names[number]}",
                fix="leave it out",
            )
    return Standard(values.mean(axis=1), scales)


def standardise(
    rewards: Float[np.ndarray, "member response"], standard: Standard
) -> Float64[np.ndarray, "member response"]:
    """(r − offset) / scale: standard deviations of the reference set, from its mean.

    Raises:
        DataError: There are not as many members as the standard was made for.
    """
    if len(rewards) != len(standard):
        raise DataError("a standard of other members", wanted=f"{len(standard)} members", got=len(rewards))
    return (np.asarray(rewards, dtype=np.float64) - standard.offsets[:, None]) / standard.scales[:, None]


def centred(rewards: Float[np.ndarray, "member response"], groups: Groups) -> Float64[np.ndarray, "member response"]:
    """Each member's rewards less its mean over the responses of the same prompt.

    Raises:
        DataError: The lengths differ, or a reward is not finite.
    """
    values = np.asarray(rewards, dtype=np.float64)
    return _within(values, *encode_groups(values.T, groups))


def mean(rewards: Float[np.ndarray, "member response"]) -> Float[np.ndarray, " response"]:
    """The mean over members."""
    return rewards.mean(axis=0)


def worst(rewards: Float[np.ndarray, "member response"]) -> Float[np.ndarray, " response"]:
    """min over members (Coste et al. 2023, arXiv:2310.02743, worst-case optimisation)."""
    return rewards.min(axis=0)


def penalised(rewards: Float[np.ndarray, "member response"], weight: float) -> Float[np.ndarray, " response"]:
    """mean − λ·variance over members (Coste et al. 2023, uncertainty-weighted optimisation); population variance.

    Args:
        weight: λ, at least 0; 0 gives the mean.
    """
    return rewards.mean(axis=0) - weight * rewards.var(axis=0)


def spread(rewards: Float[np.ndarray, "member response"]) -> Float[np.ndarray, " response"]:
    """Population standard deviation over members: how far they lie apart."""
    return rewards.std(axis=0)


def combine(
    rewards: Float[np.ndarray, "member response"], rule: Rule, *, weight: float = 0.0
) -> Float[np.ndarray, " response"]:
    """The members' rewards, standardised before, by the named rule.

    Args:
        weight: λ of `penalised`; the others do not use it.
    """
    match rule:
        case "mean":
            return mean(rewards)
        case "worst":
            return worst(rewards)
        case "penalised":
            return penalised(rewards, weight)


def _within(
    values: Float64[np.ndarray, "member response"], codes: np.ndarray, n_groups: int
) -> Float64[np.ndarray, "member response"]:
    """Deviations from the means of their groups."""
    sums = np.zeros((n_groups, len(values)))
    np.add.at(sums, codes, values.T)
    means = sums / np.bincount(codes, minlength=n_groups)[:, None]
    return values - means[codes].T
