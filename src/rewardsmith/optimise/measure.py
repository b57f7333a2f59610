"""A policy measured on fresh samples while it is trained: KL, reward, gold, length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.finding import Estimate
from rewardsmith.core.scores import Scorer
from rewardsmith.models.causal_lm import CausalLm
from rewardsmith.numerics.intervals import group_bootstrap
from rewardsmith.optimise.gold import Gold
from rewardsmith.optimise.kl import nats_a_token, sequence_kl, sequence_kl_k3
from rewardsmith.optimise.policy.local import LocalPolicy
from rewardsmith.optimise.policy.policy import Policy, Prompt, SamplingSettings
from rewardsmith.optimise.samples import SampleGroup


@dataclass(frozen=True, slots=True)
class Fresh:
    """What one policy wrote to the prompts that are set aside, and what it is worth.

    Attributes:
        groups: Responses, as many to each prompt.
        rewards: `[prompt, response]`, before any shaping; absent without a reward model.
        ratings: `[prompt, response]`, of gold; absent without one.
    """

    groups: tuple[SampleGroup, ...]
    rewards: np.ndarray | None
    ratings: np.ndarray | None

    @property
    def lengths(self) -> np.ndarray:
        """`[prompt, response]`, in tokens."""
        return np.array([[sample.n_tokens for sample in group.samples] for group in self.groups], dtype=np.float64)


class FreshMeasure:
    """Figures of a policy in training, held against the policy as which it began; see `figures_of`.

    The first policy is drawn from when it is first asked for: a run that is resumed draws the same samples again.

    Args:
        first: The policy with which the run began, which is the reference too.
        prompts: Set aside.
        sampling: How responses are drawn; `n` to a prompt.
        seed: Of the draws, the same one each time.
        scorer: The reward model, before any shaping.
        gold: What the responses are worth.
    """

    def __init__(
        self,
        first: CausalLm,
        prompts: Sequence[Prompt],
        sampling: SamplingSettings,
        *,
        seed: int,
        scorer: Scorer | None = None,
        gold: Gold | None = None,
    ) -> None:
        self._lm = first
        self._prompts = prompts
        self._sampling = sampling
        self._seed = seed
        self._scorer = scorer
        self._gold = gold
        self._first: Fresh | None = None

    def __call__(self, trained: CausalLm) -> dict[str, float]:
        """The figures of the policy as it stands."""
        if self._first is None:
            self._first = self._drawn(self._lm)
        return figures_of(self._drawn(trained), first=self._first)

    def _drawn(self, lm: CausalLm) -> Fresh:
        policy = LocalPolicy(lm, self._sampling, reference=self._lm)
        n, scorer, gold = self._sampling.n, self._scorer, self._gold
        return draw_fresh(policy, self._prompts, n=n, seed=self._seed, scorer=scorer, gold=gold)


def draw_fresh(
    policy: Policy,
    prompts: Sequence[Prompt],
    *,
    n: int,
    seed: int,
    scorer: Scorer | None = None,
    gold: Gold | None = None,
) -> Fresh:
    """Sample `n` responses to each prompt, score and rate them.

    Args:
        seed: The same one each time gives samples that differ by the policy alone.
        scorer: The reward model, before any shaping.
        gold: What the responses are worth.
    """
    groups = tuple(policy.sample(prompts, n=n, seed=seed))
    texts = [each for group in groups for each in group.conversations()]
    rewards = None if scorer is None else scorer.score(texts).rewards.astype(np.float64).reshape(len(groups), n)
    return Fresh(groups, rewards, None if gold is None else gold.rate(texts).reshape(len(groups), n))


def figures_of(fresh: Fresh, *, first: Fresh | None = None) -> dict[str, float]:
    """Figures of fresh samples, for a line of the log.

    `kl_nats` with `kl_low`, `kl_high` (95%, prompts resampled), `kl_k3` and `nats_a_token` beside it; `fresh_length` in
    tokens, `fresh_finished`; `fresh_proxy`, the scorer's mean; `gold` and `fresh_accuracy` with their ends. Against the
    first policy on the same prompts: `length_change` and `gold_change` with their ends, and `proxy_change`; what varies
    from prompt to prompt is in none of them. What cannot be said is left out.

    Args:
        fresh: Of a policy with a reference.
        first: The same draws of the policy with which the run began.
    """
    groups = list(fresh.groups)
    names = [group.group for group in groups for _ in group.samples]
    kl = sequence_kl(groups)
    line = {
        "kl_nats": kl.value,
        "kl_low": kl.low,
        "kl_high": kl.high,
        "kl_k3": sequence_kl_k3(groups).value,
        "nats_a_token": nats_a_token(groups).value,
        "fresh_length": float(fresh.lengths.mean()),
        "fresh_finished": float(np.mean([sample.is_finished for group in groups for sample in group.samples])),
    }
    if fresh.rewards is not None:
        line["fresh_proxy"] = float(np.nanmean(fresh.rewards))
    if fresh.ratings is not None:
        line |= _gold_ends(fresh.ratings.ravel(), names)
    if fresh.rewards is not None and fresh.ratings is not None:
        line |= _agreement(groups, fresh.rewards.ravel(), fresh.ratings.ravel())
    if first is not None:
        line |= _changes(fresh, first)
    return {name: value for name, value in line.items() if np.isfinite(value)}


def gold_figures(gold: Gold, conversations: Sequence[Conversation], groups: Sequence[str]) -> dict[str, float]:
    """`gold`, `gold_low` and `gold_high` of rated responses; empty where none is rated."""
    return _gold_ends(gold.rate(conversations), groups)


def _gold_ends(ratings: np.ndarray, groups: Sequence[str]) -> dict[str, float]:
    known = np.flatnonzero(np.isfinite(ratings))
    if not len(known):
        return {}
    return _ends("gold", group_bootstrap(ratings[known], [groups[place] for place in known.tolist()]))


def _changes(fresh: Fresh, first: Fresh) -> dict[str, float]:
    """Prompt by prompt: what is left of the noise is that of the draws, not that of the prompts."""
    names = [group.group for group in fresh.groups]
    line = _ends("length_change", group_bootstrap((fresh.lengths - first.lengths).mean(axis=1), names))
    if fresh.rewards is not None and first.rewards is not None:
        line["proxy_change"] = float(np.nanmean(fresh.rewards) - np.nanmean(first.rewards))
    if fresh.ratings is not None and first.ratings is not None:
        change = _means(fresh.ratings) - _means(first.ratings)
        known = np.flatnonzero(np.isfinite(change))
        if len(known):
            line |= _ends("gold_change", group_bootstrap(change[known], [names[place] for place in known.tolist()]))
    return line


def _means(ratings: np.ndarray) -> np.ndarray:
    """`[prompt]`: of the responses that are rated; NaN where none is."""
    counts = np.isfinite(ratings).sum(axis=1)
    return np.where(counts > 0, np.nansum(ratings, axis=1) / np.maximum(counts, 1), np.nan)


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
