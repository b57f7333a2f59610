"""Which of several responses is taken: by the mean of the members, their worst, or the mean less a penalty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64

from rewardsmith.core.errors import DataError, ModelError
from rewardsmith.core.scores import Scores
from rewardsmith.numerics.combination import Rule, combine

TieRule = Literal["first", "lot"]


@dataclass(frozen=True, slots=True)
class Pick:
    """What was taken.

    Attributes:
        place: Number of the response.
        value: What it was picked by.
        tied: Responses that share this value, itself included.
    """

    place: int
    value: float
    tied: int


def selection_values(scores: Scores, rule: Rule, *, weight: float = 0.5) -> Float64[np.ndarray, " response"]:
    """What responses are picked by, higher is better.

    `mean`: the members' mean, of a single model its reward. `worst`: the smallest of the members. `penalised`: mean −
    λ·variance over the members, in their standardised units (Coste et al. 2023, arXiv:2310.02743). The rule that an
    ensemble combines its own reward by is not read.

    Args:
        weight: λ.

    Raises:
        ModelError: `worst` or `penalised` is asked of a scorer that shows no members.
    """
    if scores.members is not None:
        return combine(scores.members.astype(np.float64), rule, weight=weight).astype(np.float64)
    if rule == "mean":
        return scores.rewards.astype(np.float64)
    raise ModelError(
        f"a single model cannot be picked by {rule}",
        wanted="an ensemble, whose members' rewards are known",
        got="one reward a response",
        fix="pick by mean, or combine several models with rewardsmith ensemble",
    )


def pick(values: Float[np.ndarray, " response"], *, ties: TieRule = "first", seed: int = 0) -> Pick:
    """The response of the highest value; NaN, a response without a value, is never taken.

    Args:
        values: What to pick by.
        ties: Of equal highest values: `first` takes that of the lowest number, `lot` draws by `seed`.
        seed: Of the lot; a prompt should have its own.

    Raises:
        DataError: There is no value, or an infinite one.
    """
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        raise DataError("nothing to pick from", wanted="at least one response with a reward", got=len(values))
    if np.isinf(values).any():
        raise DataError("an infinite reward", where=f"response {int(np.flatnonzero(np.isinf(values))[0])}")
    best = values[known].max()
    level = known[values[known] == best]
    place = level[0] if ties == "first" else np.random.default_rng(seed).choice(level)
    return Pick(int(place), float(best), len(level))
