"""One batch of responses into a better policy: some passes of clipped gradient steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rewardsmith.batching import buckets
from rewardsmith.optimise.ppo.actor_critic import ActorCritic
from rewardsmith.optimise.ppo.advantages import generalised_advantages, token_rewards, whitened
from rewardsmith.optimise.ppo.losses import clipped_share, masked_sum, policy_losses, value_losses
from rewardsmith.optimise.ppo.rollout import Rollout
from rewardsmith.optimise.ppo.settings import PpoSettings


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """What the gradient steps of a batch did: means over its tokens.

    Attributes:
        policy_loss: Of the last pass.
        value_loss: Of the last pass.
        clipped: Share of tokens outside 1 ± ε at the end.
        moved_nats: k3 estimate a token of KL(π_old ‖ π) at the end.
        grad_norm: Largest before it was scaled down.
        epochs: Passes that were made.
    """

    policy_loss: float
    value_loss: float
    clipped: float
    moved_nats: float
    grad_norm: float
    epochs: int


def update(
    model: ActorCritic,
    optimiser: torch.optim.Optimizer,
    rollout: Rollout,
    settings: PpoSettings,
    *,
    beta: float,
    pad_id: int,
    seed: int,
) -> UpdateReport:
    """Make the passes over a batch.

    Losses are sums over tokens, divided once by the number of tokens of the minibatch, so that the token budget, which
    cuts it into forward passes, does not change the step.

    Args:
        beta: Price of a nat.
        seed: Of the minibatches' order.
    """
    advantages, returns = _targets(rollout, settings, beta=beta)
    rng = np.random.default_rng(seed)
    norms: list[float] = []
    report = UpdateReport(0.0, 0.0, 0.0, 0.0, 0.0, 0)
    for epoch in range(settings.epochs):
        sums = np.zeros(4)
        for some in np.array_split(rng.permutation(len(rollout.responses)), settings.minibatches):
            if not len(some):
                continue
            sums += _step(model, optimiser, rollout, settings, advantages, returns, some.tolist(), pad_id, norms)
        policy, value, clipped, moved = (sums / int(rollout.mask.sum())).tolist()
        report = UpdateReport(policy, value, clipped, moved, max(norms), epoch + 1)
        if settings.most_nats_a_batch is not None and report.moved_nats > settings.most_nats_a_batch:
            break
    return report


def _targets(
    rollout: Rollout, settings: PpoSettings, *, beta: float
) -> tuple[Float[Tensor, "sequence token"], Float[Tensor, "sequence token"]]:
    """Advantages, and the returns that the values are to learn."""
    scores = torch.from_numpy(rollout.scores).float()
    rewards = token_rewards(scores, rollout.log_probs - rollout.reference, rollout.mask, beta=beta)
    advantages = generalised_advantages(
        rewards, rollout.values, rollout.mask, gamma=settings.gamma, gae_lambda=settings.gae_lambda
    )
    returns = advantages + rollout.values
    return (whitened(advantages, rollout.mask) if settings.whiten else advantages), returns


def _step(
    model: ActorCritic,
    optimiser: torch.optim.Optimizer,
    rollout: Rollout,
    settings: PpoSettings,
    advantages: Tensor,
    returns: Tensor,
    some: Sequence[int],
    pad_id: int,
    norms: list[float],
) -> np.ndarray:
    """One optimiser step; sums over tokens of the policy's loss, the value's, what is clipped, and k3."""
    optimiser.zero_grad(set_to_none=True)
    n_tokens = int(rollout.mask[list(some)].sum())
    sums = np.zeros(4)
    for part in buckets.plan([rollout.responses[index].end for index in some], max_tokens=settings.token_budget):
        rows = [some[index] for index in part]
        mask, old = rollout.mask[rows], rollout.log_probs[rows]
        found, values = model([rollout.responses[row] for row in rows], pad_id=pad_id, width=mask.shape[1])
        found, values = found.cpu(), values.cpu()
        policy = masked_sum(policy_losses(found, old, advantages[rows], clip=settings.clip), mask)
        value = masked_sum(value_losses(values, rollout.values[rows], returns[rows], clip=settings.value_clip), mask)
        ((policy + settings.value_weight * value) / n_tokens).backward()
        with torch.no_grad():
            clipped = clipped_share(found, old, mask, clip=settings.clip) * int(mask.sum())
            moved = masked_sum(torch.exp(found - old) - 1 - (found - old), mask)
        sums += [policy.item(), value.item(), clipped, moved.item()]
    norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm)))
    optimiser.step()
    return sums
