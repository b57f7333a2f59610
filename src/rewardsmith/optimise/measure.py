"""A policy measured on fresh samples while it is trained: KL, reward, gold, length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.finding import Estimate
from rewardsmith.core.scores import Scorer
from rewardsmith.numerics.intervals import group_bootstrap
from rewardsmith.optimise.gold import Gold
from rewardsmith.optimise.kl import nats_a_token, sequence_kl, sequence_kl_k3
from rewardsmith.optimise.policy.policy import Policy, Prompt
from rewardsmith.optimise.samples import SampleGroup


def measured(
    policy: Policy,
    prompts: Sequence[Prompt],
    *,
    n: int,
    seed: int,
    scorer: Scorer | None = None,
    gold: Gold | None = None,
) -> dict[str, float]:
    """Figures of fresh samples, for a line of the log.

    `kl_nats` with `kl_low`, `kl_high` (95%, prompts resampled), `kl_k3` and `nats_a_token` beside it; `fresh_length` in
    tokens, `fresh_finished`; `fresh_proxy`, the scorer's mean; `gold` and `fresh_accuracy` with their ends. What cannot
    be said is left out.

    Args:
        policy: With a reference.
        n: Responses a prompt.
        seed: The same one each time gives samples that differ by the policy alone.
        scorer: The reward model, before any shaping.
        gold: What the responses are worth.
    """
    groups = list(policy.sample(prompts, n=n, seed=seed))
    samples = [sample for group in groups for sample in group.samples]
    kl = sequence_kl(groups)
    line = {
        "kl_nats": kl.value,
        "kl_low": kl.low,
        "kl_high": kl.high,
        "kl_k3": sequence_kl_k3(groups).value,
        "nats_a_token": nats_a_token(groups).value,
        "fresh_length": float(np.mean([sample.n_tokens for sample in samples])),
        "fresh_finished": float(np.mean([sample.is_finished for sample in samples])),
    }
    conversations = [each for group in groups for each in group.conversations()]
    rewards = None if scorer is None else scorer.score(conversations).rewards.astype(np.float64)
    if rewards is not None:
        line["fresh_proxy"] = float(np.nanmean(rewards))
    if gold is not None:
        line |= gold_figures(gold, conversations, [group.group for group in groups for _ in range(n)])
        if rewards is not None:
            line |= _agreement(groups, rewards, gold.rate(conversations))
    return {name: value for name, value in line.items() if np.isfinite(value)}


def gold_figures(gold: Gold, conversations: Sequence[Conversation], groups: Sequence[str]) -> dict[str, float]:
    """`gold`, `gold_low` and `gold_high` of rated responses; empty where none is rated."""
    ratings = gold.rate(conversations)
    known = np.flatnonzero(np.isfinite(ratings))
    if not len(known):
        return {}
    return _ends("gold", group_bootstrap(ratings[known], [groups[place] for place in known.tolist()]))


def _agreement(groups: Sequence[SampleGroup], rewards: np.ndarray, ratings: np.ndarray) -> dict[str, float]:
    """How often the reward orders two responses to a prompt as gold does; a tie of the reward counts a half."""
    hits: list[float] = []
    names: list[str] = []
    start = 0
    for group in groups:
        own, gold = (values[start : start + len(group)] for values in (rewards, ratings))
        start += len(group)
        one, other = np.triu_indices(len(group), k=1)
        by_gold, by_reward = np.sign(gold[one] - gold[other]), np.sign(own[one] - own[other])
        credit = (1 + by_gold * by_reward) / 2
        use = np.isfinite(credit) & (by_gold != 0)
        hits += credit[use].tolist()
        names += [group.group] * int(use.sum())
    return _ends("fresh_accuracy", group_bootstrap(np.array(hits), names)) if hits else {}


def _ends(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
