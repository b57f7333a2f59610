"""The length penalty of a whole optimiser step, whatever the cut: one pass that measures, then the pass that learns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from accelerate.utils import gather_object
from jaxtyping import Float64
from torch import Tensor

from rewardsmith.losses.objective import Objective
from rewardsmith.losses.pair_batch import PairLosses
from rewardsmith.training.collator import pair_batch

Forward = Callable[[Mapping[str, Any]], tuple[Tensor, PairLosses]]


def step_length_slope(
    objective: Objective, batches: Iterable[Mapping[str, Any]], *, forward: Forward
) -> Float64[Tensor, " 7"]:
    """λ·∂ρ²/∂moments at the moments of the step's pairs, over all devices; all of them call it.

    The pass has no gradients, and the random state afterwards is that before it, so that the pass that follows drops
    out the same.

    Args:
        batches: This device's micro-batches of the step.
        forward: From a micro-batch to rewards and losses.
    """
    own = torch.zeros(7, dtype=torch.float64)
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.no_grad(), torch.random.fork_rng(devices):
        for batch in batches:
            rewards, losses = forward(batch)
            own = own.to(rewards.device) + objective.length_moments(losses, pair_batch(batch))
    parts = gather_object([own.tolist()])
    return objective.length_slope(torch.tensor(parts, dtype=torch.float64, device=own.device).sum(dim=0))
