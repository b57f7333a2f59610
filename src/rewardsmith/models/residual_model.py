"""A reward on top of a prior: what the prior says is given, and only the rest is learnt."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from rewardsmith.models.reward_model import RewardModel


class ResidualModel(nn.Module):
    """r = s·p + f: the prior p comes as numbers, f is a `RewardModel`, s is one number (arXiv 2507.00611, with s = 1).

    No gradient goes into the prior, which is no module here. Checkpoints hold f and s.

    Args:
        residual: f. It knows nothing of the prior.
        learns_scale: Train s along with f; it starts at 1.
    """

    def __init__(self, residual: RewardModel, *, learns_scale: bool = False) -> None:
        super().__init__()
        self.residual = residual
        # One element and not a scalar, which fully sharded training does not take.
        self.prior_scale = nn.Parameter(torch.ones(1), requires_grad=learns_scale)

    @property
    def output_layer(self) -> nn.Linear:
        """The linear layer of f, for the readout's penalty."""
        return self.residual.output_layer

    @property
    def scale(self) -> float:
        """s as it is now."""
        return float(self.prior_scale.detach())

    def forward(self, prior: Float[Tensor, " sequence"] | None = None, **inputs: Any) -> Float32[Tensor, " sequence"]:
        """The reward of each sequence.

        Args:
            prior: What the prior says of each; 0 where absent, as of the filler that a device without work gets.
            inputs: What `RewardModel.forward` takes.
        """
        residual = self.residual(**inputs)
        return residual + self.prior_scale.float() * (torch.zeros_like(residual) if prior is None else prior.float())
