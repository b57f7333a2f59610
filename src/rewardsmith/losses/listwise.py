"""The loss of a ranking: the rewards of K responses of one prompt, best first, and one loss a prompt out."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rewardsmith.losses.precision import precise


def plackett_luce(
    rewards: Float[Tensor, "prompt rank"], present: Bool[Tensor, "prompt rank"] | None = None
) -> Float[Tensor, " prompt"]:
    """−log P(ranking) = Σ_k [logsumexp_{j≥k} r_j − r_k] (Plackett 1975): the best is picked, then the best of the rest.

    With two responses it is Bradley–Terry. The K×K form costs memory K² a prompt, and its gradient is exact at
    any rewards, which that of a cumulative logsumexp is not.

    Args:
        rewards: Best first; the padding of shorter rankings stands at the end and may hold anything.
        present: False where there is padding; all present where absent.
    """
    rewards, present = _without_padding(rewards, present)
    ranks = rewards.shape[1]
    later = torch.ones(ranks, ranks, dtype=torch.bool, device=rewards.device).triu(1) & present[:, None, :]
    itself = torch.eye(ranks, dtype=torch.bool, device=rewards.device)
    left = rewards[:, None, :].masked_fill(~(later | itself), float("-inf"))
    # A padded rank is left alone with itself, so its term is exactly 0.
    return (left.logsumexp(dim=2) - rewards).sum(dim=1)


def _without_padding(rewards: Tensor, present: Tensor | None) -> tuple[Tensor, Tensor]:
    rewards = precise(rewards)
    present = torch.ones_like(rewards, dtype=torch.bool) if present is None else present
    return rewards.masked_fill(~present, 0.0), present
