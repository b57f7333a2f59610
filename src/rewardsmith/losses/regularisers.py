"""What keeps rewards and the readout small."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from rewardsmith.losses.precision import precise


def centring(chosen: Float[Tensor, " pair"], rejected: Float[Tensor, " pair"]) -> Float[Tensor, " pair"]:
    """(r⁺ + r⁻)² of each pair; its mean times c ≈ 0.01 holds rewards around 0 (Eisenstein 2023,
    arXiv 2312.09244, eq. 2).

    Comparisons leave one constant a prompt free, along which logits drift; this pins it. It is the only part of
    the objective that is not the same after adding a constant to all rewards. TRL calls c
    `center_rewards_coefficient`.
    """
    return (precise(chosen) + precise(rejected)) ** 2


def readout_penalty(weight: Float[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """‖w‖² of the readout's weight, once a step; times λ it bounds the scale of rewards."""
    return precise(weight).square().sum()
