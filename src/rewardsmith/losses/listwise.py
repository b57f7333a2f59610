"""Losses of a ranking: the rewards of K responses of one prompt, best first, and one loss a prompt out."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rewardsmith.losses.pairwise import bradley_terry
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


def all_pairs(
    rewards: Float[Tensor, "prompt rank"], present: Bool[Tensor, "prompt rank"] | None = None
) -> Float[Tensor, " prompt"]:
    """Mean Bradley–Terry loss over the K(K − 1)/2 pairs of a ranking (Ouyang 2022, arXiv 2203.02155, eq. 1).

    The mean makes each prompt count once, however many responses it has. 0 for a prompt with fewer than two.
    Arguments as in `plackett_luce`.
    """
    rewards, present = _without_padding(rewards, present)
    better, worse = torch.triu_indices(rewards.shape[1], rewards.shape[1], offset=1, device=rewards.device)
    counts = present[:, better] & present[:, worse]
    delta = rewards[:, better] - rewards[:, worse]
    losses = bradley_terry(delta.flatten()).view_as(delta)
    return (losses * counts).sum(dim=1) / counts.sum(dim=1).clamp(min=1)


def _without_padding(rewards: Tensor, present: Tensor | None) -> tuple[Tensor, Tensor]:
    rewards = precise(rewards)
    present = torch.ones_like(rewards, dtype=torch.bool) if present is None else present
    return rewards.masked_fill(~present, 0.0), present
