"""Losses of one comparison: reward differences in, one loss a pair out.

Δ = r⁺ − r⁻. A difference is all that a loss sees, because adding a constant to all rewards of a prompt must change
nothing. Half-precision inputs are computed in float32.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from rewardsmith.losses.precision import precise


def bradley_terry(
    delta: Float[Tensor, " pair"], margin: Float[Tensor, " pair"] | float = 0.0
) -> Float[Tensor, " pair"]:
    """−log σ(Δ − m) = softplus(m − Δ), with m = 0 in the plain loss.

    Bradley & Terry 1952; Christiano 2017 (arXiv 1706.03741) eq. 1; the margin: Llama 2 (arXiv 2307.09288) eq. 2.
    The same as TRL's `-logsigmoid(rewards_chosen - rewards_rejected - margin)`.
    """
    return softplus(precise(margin) - precise(delta))


def soft_label(
    delta: Float[Tensor, " pair"],
    prob_chosen: Float[Tensor, " pair"],
    margin: Float[Tensor, " pair"] | float = 0.0,
) -> Float[Tensor, " pair"]:
    """−p·log σ(Δ − m) − (1 − p)·log σ(−Δ − m): Bradley–Terry where only a share p of the judgement says chosen.

    With m = 0 it is the cross-entropy, least at σ(Δ) = p. A margin asks for the same distance from whichever side
    is better, so that swapping the sides (Δ → −Δ, p → 1 − p) changes nothing.
    """
    prob = precise(prob_chosen)
    return prob * bradley_terry(delta, margin) + (1 - prob) * bradley_terry(-delta, margin)


def hinge(
    delta: Float[Tensor, " pair"],
    margin: Float[Tensor, " pair"] | float,
    prob_chosen: Float[Tensor, " pair"] | float = 1.0,
) -> Float[Tensor, " pair"]:
    """p·max(0, m − Δ) + (1 − p)·max(0, m + Δ), with p = 1 for a plain label and m > 0.

    Once a pair is right by `m` it pulls no more, so rewards do not drift apart without end.
    """
    prob, distance, delta = precise(prob_chosen), precise(margin), precise(delta)
    return prob * torch.relu(distance - delta) + (1 - prob) * torch.relu(distance + delta)


def smooth(prob_chosen: Float[Tensor, " pair"], smoothing: float) -> Float[Tensor, " pair"]:
    """(1 − ε)·p + ε·(1 − p): the label if a share ε of all labels is known to be swapped (a tie stays a tie)."""
    return (1 - smoothing) * prob_chosen + smoothing * (1 - prob_chosen)
