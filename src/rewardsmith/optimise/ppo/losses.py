"""The clipped objectives of PPO, one value a token; reduction is a separate step."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def policy_losses(
    log_probs: Float[Tensor, "sequence token"],
    old_log_probs: Float[Tensor, "sequence token"],
    advantages: Float[Tensor, "sequence token"],
    *,
    clip: float,
) -> Float[Tensor, "sequence token"]:
    """−min(ρ·A, clamp(ρ, 1 − ε, 1 + ε)·A) with ρ = π/π_old (arXiv:1707.06347, eq. 7).

    The minimum takes the worse of the two: a step that has gone too far in the good direction gains nothing more, one
    that went wrong is drawn back from anywhere.
    """
    ratio = torch.exp(log_probs - old_log_probs)
    return -torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)


def value_losses(
    values: Float[Tensor, "sequence token"],
    old_values: Float[Tensor, "sequence token"],
    returns: Float[Tensor, "sequence token"],
    *,
    clip: float,
) -> Float[Tensor, "sequence token"]:
    """½·max((V − R)², (clamp(V, V_old ± ε) − R)²): values move little between two batches, as the policy does."""
    near = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * torch.maximum((values - returns) ** 2, (near - returns) ** 2)


def clipped_share(
    log_probs: Float[Tensor, "sequence token"],
    old_log_probs: Float[Tensor, "sequence token"],
    mask: Bool[Tensor, "sequence token"],
    *,
    clip: float,
) -> float:
    """Share of the tokens whose ratio lies outside 1 ± ε."""
    ratio = torch.exp(log_probs - old_log_probs)[mask]
    return float(((ratio < 1 - clip) | (ratio > 1 + clip)).float().mean())


def masked_sum(values: Float[Tensor, "sequence token"], mask: Bool[Tensor, "sequence token"]) -> Tensor:
    """Sum over the response's tokens; divided by their number in the whole batch, once, whatever the micro-batches."""
    return torch.where(mask, values, 0.0).sum()
