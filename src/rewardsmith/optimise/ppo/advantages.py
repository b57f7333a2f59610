"""From rewards and values to advantages: how much better each token was than expected."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def token_rewards(
    scores: Float[Tensor, " sequence"],
    log_ratios: Float[Tensor, "sequence token"],
    mask: Bool[Tensor, "sequence token"],
    *,
    beta: float,
) -> Float[Tensor, "sequence token"]:
    """−β·(log π − log π_ref) at each token, and the score of the whole response at its last one.

    Their sum is score − β·Σ_t log-ratio: the KL-shaped reward of Stiennon et al. 2020 (arXiv:2009.01325, eq. 2), spread
    over the tokens that it is due to.

    Args:
        scores: Reward of each response.
        log_ratios: Of the policy that wrote the response to the reference, in nats.
        mask: Where the response's tokens stand; each row has at least one.
        beta: Price of a nat.
    """
    rewards = torch.where(mask, -beta * log_ratios, 0.0)
    rows = torch.arange(len(scores), device=scores.device)
    rewards[rows, last_places(mask)] += scores
    return rewards


def generalised_advantages(
    rewards: Float[Tensor, "sequence token"],
    values: Float[Tensor, "sequence token"],
    mask: Bool[Tensor, "sequence token"],
    *,
    gamma: float = 1.0,
    gae_lambda: float = 0.95,
) -> Float[Tensor, "sequence token"]:
    """A_t = Σ_{l≥0} (γλ)^l δ_{t+l}, with δ_t = r_t + γ·V_{t+1} − V_t and V = 0 after the last token.

    (Schulman et al. 2016, arXiv:1506.02438, eq. 16.) λ = 1 gives the return less the value, λ = 0 the one-step error.

    Args:
        values: What was expected before each token.
        mask: Where the response's tokens stand, side by side; what is beside them is nought in the result.
    """
    advantages = torch.zeros_like(rewards)
    following = torch.zeros_like(rewards[:, 0])
    next_value = torch.zeros_like(following)
    for place in reversed(range(rewards.shape[1])):
        here = mask[:, place]
        error = rewards[:, place] + gamma * next_value - values[:, place]
        following = torch.where(here, error + gamma * gae_lambda * following, following)
        next_value = torch.where(here, values[:, place], next_value)
        advantages[:, place] = torch.where(here, following, 0.0)
    return advantages


def whitened(
    values: Float[Tensor, "sequence token"], mask: Bool[Tensor, "sequence token"]
) -> Float[Tensor, "sequence token"]:
    """`values` with mean 0 and standard deviation 1 over all tokens of the batch; nought beside them."""
    chosen = values[mask]
    spread = chosen.std(unbiased=False)
    return torch.where(mask, (values - chosen.mean()) / (spread + 1e-8), 0.0)


def last_places(mask: Bool[Tensor, "sequence token"]) -> Tensor:
    """`[sequence]`, the last place of each row where the mask holds."""
    width = mask.shape[1]
    return width - 1 - mask.flip(1).to(torch.int64).argmax(dim=1)
