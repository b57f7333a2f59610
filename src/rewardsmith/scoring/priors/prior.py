"""Terms of a prior, ready to be asked, and their weighted sum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float32

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import ModelError


class PriorFunction(Protocol):
    """What a term computes: one number a conversation, in order, before any weight."""

    def __call__(self, conversations: Sequence[Conversation]) -> Float32[np.ndarray, " conversation"]: ...


def _nothing_cut() -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Prior:
    """A term of the prior.

    Attributes:
        kind: As in the recipe.
        weight: Its value is multiplied by this.
        function: Gives the value.
        n_truncated: How many conversations it has had to cut so far.
    """

    kind: str
    weight: float
    function: PriorFunction
    n_truncated: Callable[[], int] = _nothing_cut


def term_values(
    priors: Sequence[Prior], conversations: Sequence[Conversation]
) -> Float32[np.ndarray, "conversation term"]:
    """What each term says, without its weight.

    Raises:
        ModelError: A value is not finite.
    """
    values = np.empty((len(conversations), len(priors)), np.float32)
    for number, prior in enumerate(priors):
        values[:, number] = prior.function(conversations)
        wrong = np.flatnonzero(~np.isfinite(values[:, number]))
        if len(wrong):
            raise ModelError(
                "a prior is not finite",
                got=f"{values[wrong[0], number]} for conversation {wrong[0]}",
                where=f"prior.terms.{number} ({prior.kind})",
            )
    return values


def weighted_sum(
    values: Float32[np.ndarray, "conversation term"], weights: Sequence[float]
) -> Float32[np.ndarray, " conversation"]:
    """p = Σ weight·value, summed in float64."""
    return (values.astype(np.float64) @ np.asarray(weights, np.float64)).astype(np.float32)
