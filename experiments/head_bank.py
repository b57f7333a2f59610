"""Many small heads on the same frozen features, trained side by side: one more dimension in every product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

Parameters = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class HeadPlan:
    """How one head is trained.

    Attributes:
        head_seed: Of its first weights.
        order_seed: Of the order of its pairs.
        pairs: `[pair, 2]`, rows of the features: chosen, rejected. All heads of a bank have as many.
    """

    head_seed: int
    order_seed: int
    pairs: np.ndarray


def train_heads(
    features: np.ndarray,
    plans: Sequence[HeadPlan],
    *,
    width: int = 64,
    epochs: int = 6,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.01,
) -> Parameters:
    """Two-layer heads (SiLU) under the Bradley–Terry loss, AdamW; each parameter is `[head, …]`.

    AdamW goes element by element and every head has its own mean loss, so the heads do not know of each other.
    """
    inputs = torch.as_tensor(features, dtype=torch.float32)
    parameters = _initial(inputs.shape[1], width, [plan.head_seed for plan in plans])
    optimiser = torch.optim.AdamW(parameters.values(), lr=learning_rate, weight_decay=weight_decay)
    pairs = torch.as_tensor(np.stack([plan.pairs for plan in plans]))
    generators = [np.random.default_rng(plan.order_seed) for plan in plans]
    steps = epochs * -(-pairs.shape[1] // batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / max(1, steps))
    for _ in range(epochs):
        order = torch.as_tensor(np.stack([each.permutation(pairs.shape[1]) for each in generators]))
        for start in range(0, order.shape[1], batch_size):
            some = order[:, start : start + batch_size]
            batch = torch.take_along_dim(pairs, some[:, :, None], dim=1)
            rewards = _rewards(parameters, inputs[batch.flatten(1)]).unflatten(1, (-1, 2))
            loss = -functional.logsigmoid(rewards[..., 0] - rewards[..., 1]).mean(dim=1).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return {name: value.detach() for name, value in parameters.items()}


def score_heads(features: np.ndarray, parameters: Parameters) -> np.ndarray:
    """`[head, row]`, float32."""
    inputs = torch.as_tensor(features, dtype=torch.float32)
    heads = len(parameters["bias"])
    with torch.inference_mode():
        return _rewards(parameters, inputs.expand(heads, *inputs.shape)).numpy()


def averaged(parameters: Parameters) -> Parameters:
    """A bank of one head: the mean of all."""
    return {name: value.mean(dim=0, keepdim=True) for name, value in parameters.items()}


def _rewards(parameters: Parameters, inputs: Tensor) -> Tensor:
    """`[head, row, feature]` → `[head, row]`."""
    hidden = functional.silu(torch.baddbmm(parameters["bias"], inputs, parameters["weight"]))
    return torch.bmm(hidden, parameters["output"]).squeeze(2)


def _initial(inputs: int, width: int, seeds: Sequence[int]) -> Parameters:
    """N(0, 1/(d + 1)) as `models.head.initialise` has it."""
    weights, outputs = [], []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        weights.append(torch.randn((inputs, width), generator=generator) * (inputs + 1) ** -0.5)
        outputs.append(torch.randn((width, 1), generator=generator) * (width + 1) ** -0.5)
    shaped = {
        "weight": torch.stack(weights),
        "bias": torch.zeros((len(seeds), 1, width)),
        "output": torch.stack(outputs),
    }
    return {name: value.requires_grad_() for name, value in shaped.items()}
