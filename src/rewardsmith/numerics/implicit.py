"""The reward that a policy implies."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float64, Int

Normalise = Literal["none", "per_token"]


def implicit_reward(
    policy: Float64[np.ndarray, " response"],
    reference: Float64[np.ndarray, " response"],
    n_tokens: Int[np.ndarray, " response"],
    *,
    beta: float,
    normalise: Normalise = "none",
) -> Float64[np.ndarray, " response"]:
    """β·[log π(y|x) − log π_ref(y|x)], in nats times β; `per_token` divides by the number of tokens of y.

    Rafailov 2023 (arXiv 2305.18290), section 4: the reward under which π is optimal at a KL price of β, but for a term
    of x alone. So it compares responses to one prompt, and nothing else. The division is no part of the paper: it takes
    away that a longer response has more tokens to differ in.

    Args:
        policy: log π(y|x), summed over the tokens of y.
        reference: log π_ref(y|x), likewise.
        n_tokens: Of y; a response without any has reward 0.
    """
    rewards = beta * (policy - reference)
    return rewards if normalise == "none" else rewards / np.maximum(n_tokens, 1)
