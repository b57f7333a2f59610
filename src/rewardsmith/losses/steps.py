"""Losses of process and outcome reward models: logits of steps in, one loss a step out.

A step's probability of being right is p = σ(z). An outcome reward model has the same loss on one place a solution: its
last step, with the final answer's correctness as the label (Cobbe 2021, arXiv:2110.14168; Lightman 2023,
arXiv:2305.20050).
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import softplus

from rewardsmith.losses.precision import precise


def step_loss(logits: Float[Tensor, " step"], targets: Float[Tensor, " step"]) -> Float[Tensor, " step"]:
    """−y·log σ(z) − (1 − y)·log σ(−z) of each step; 0, with a gradient of 0, where y is NaN (not labelled).

    The cross-entropy that a token classifier with two labels has at the step's place, with z = logit₁ − logit₀ (TRL's
    PRM convention). It is a Bradley–Terry comparison of the step with a reward of 0.
    """
    known = is_labelled(targets)
    # The branch that is not taken must not hold a NaN: its gradient would be one too.
    wanted, logits = precise(torch.where(known, targets, 0.0)), precise(logits)
    return torch.where(known, wanted * softplus(-logits) + (1 - wanted) * softplus(logits), 0.0)


def is_labelled(targets: Float[Tensor, " step"]) -> Bool[Tensor, " step"]:
    """True where a step has a label."""
    return ~torch.isnan(targets)
