"""Optimisation pressure on a policy: proxy and gold against KL, for best-of-n and for policies on the way of RL.

Best-of-n is read off many draws of one policy by `audit.stress.pressure`, the same measurement that an audit makes of
rated candidates. RL is read off a few fresh responses of each checkpoint to the same prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.stress.budget import Budget, budget_finding, measure_budget
from rewardsmith.core.conversation import Conversation, assistant
from rewardsmith.core.errors import DataError
from rewardsmith.core.finding import Estimate, Finding
from rewardsmith.core.scores import Scorer
from rewardsmith.numerics.intervals import group_bootstrap
from rewardsmith.optimise.gold import Gold
from rewardsmith.optimise.kl import sequence_kl
from rewardsmith.optimise.samples import SampleGroup
from rewardsmith.preferences.candidates import Candidates

RL_UNIT = "nats"


@dataclass(frozen=True, slots=True)
class RlPoint:
    """A policy on the way.

    Attributes:
        name: Of the checkpoint.
        kl: KL of whole responses from the initial policy, in nats, on the same fresh samples.
        gold_gain: Mean gold over that of the initial policy, the same prompts, in standard deviations within a prompt.
        proxy_gain: The same of the reward.
        length: Mean characters.
    """

    name: str
    kl: Estimate
    gold_gain: Estimate
    proxy_gain: Estimate
    length: Estimate


@dataclass(frozen=True, slots=True)
class RlPressure:
    """What RL against the reward did.

    Attributes:
        points: By KL.
        budget: How far the reward may be followed.
        prompts: Prompts that all policies answered, rated and scored.
        left_out: Prompts where one of them has no rated response.
    """

    points: tuple[RlPoint, ...]
    budget: Budget | Absent
    prompts: int
    left_out: int


@dataclass(frozen=True, slots=True)
class RatedGroups:
    """Sampled responses with what they are worth.

    Attributes:
        candidates: One a prompt, repeats kept; those without a rating are not among them.
        unrated: Responses without a rating.
    """

    candidates: tuple[Candidates, ...]
    unrated: int


def rate_groups(groups: Sequence[SampleGroup], gold: Gold) -> RatedGroups:
    """The responses that gold rates.

    Raises:
        DataError: None is rated, or the gold refuses one.
    """
    ratings = gold.rate([each for group in groups for each in group.conversations()])
    found, start, unrated = [], 0, 0
    for group in groups:
        own = ratings[start : start + len(group)]
        start += len(group)
        known = np.flatnonzero(np.isfinite(own))
        unrated += len(own) - len(known)
        if len(known):
            responses = tuple((assistant(group.samples[place].text),) for place in known.tolist())
            found.append(Candidates(group.prompt, responses, own[known], group.group))
    if not found:
        raise DataError("gold rates none of the responses", wanted="ratings of at least some", got=f"{unrated} without")
    return RatedGroups(tuple(found), unrated)


def measure_rl(
    start: Sequence[SampleGroup],
    checkpoints: Sequence[tuple[str, Sequence[SampleGroup]]],
    scorer: Scorer,
    gold: Gold,
    *,
    seed: int = 0,
) -> RlPressure:
    """Gains of each checkpoint over the initial policy on the same prompts, against its KL.

    Args:
        start: Samples of the initial policy.
        checkpoints: Name, and samples of the policy with its log-probabilities and those under the initial one.
        scorer: The reward.
        gold: What responses are worth.
        seed: Of the resamples.

    Raises:
        DataError: Log-probabilities are not known, a prompt comes twice, or no prompt was answered by all.
    """
    tables = [_means(groups, scorer, gold) for groups in (start, *(groups for _, groups in checkpoints))]
    shared = [prompt for prompt in tables[0] if all(prompt in table for table in tables)]
    if not shared:
        raise DataError(
            "no prompt was answered by every policy",
            wanted="samples of all checkpoints on the same prompts",
            fix="sample them from the same file of prompts",
        )
    names = [tables[0][prompt].group for prompt in shared]
    first = [tables[0][prompt] for prompt in shared]
    gold_sd, proxy_sd = (float(np.sqrt(np.mean([each.variance[place] for each in first]))) for place in (0, 1))
    measured = []
    for (name, groups), table in zip(checkpoints, tables[1:], strict=True):
        gains = np.array([table[prompt].mean - tables[0][prompt].mean for prompt in shared])
        gains = np.column_stack([_scaled(gains[:, 0], gold_sd), _scaled(gains[:, 1], proxy_sd)])
        lengths = np.array([table[prompt].mean[2] for prompt in shared])
        kl = sequence_kl([each for each in groups if each.prompt in set(shared)], seed=seed)
        estimates = (group_bootstrap(column, names, seed=seed) for column in (*gains.T, lengths))
        measured.append((RlPoint(name, kl, *estimates), gains[:, 0]))
    measured.sort(key=lambda each: each[0].kl.value)
    # An unbiased estimate of a KL near nought may come out below it.
    nats = [max(0.0, point.kl.value) for point, _ in measured]
    table = np.column_stack([gains for _, gains in measured])
    budget = measure_budget(nats, table, names, form="rl", seed=seed)
    return RlPressure(tuple(point for point, _ in measured), budget, len(shared), len(tables[0]) - len(shared))


def rl_findings(pressure: RlPressure) -> list[Finding]:
    """`pressure.rl_budget`; nothing where there are too few checkpoints for a curve."""
    if isinstance(pressure.budget, Absent):
        return []
    return [budget_finding("pressure.rl_budget", pressure.budget, unit=RL_UNIT)]


@dataclass(frozen=True, slots=True)
class _Means:
    """Gold, reward and characters of one prompt's responses: their means, and variances of the first two."""

    group: str
    mean: Float64[np.ndarray, " 3"]
    variance: Float64[np.ndarray, " 2"]


def _means(groups: Sequence[SampleGroup], scorer: Scorer, gold: Gold) -> dict[Conversation, _Means]:
    conversations = [each for group in groups for each in group.conversations()]
    ratings = gold.rate(conversations)
    rewards = scorer.score(conversations).rewards.astype(np.float64)
    lengths = np.array([len(sample.text) for group in groups for sample in group.samples], dtype=np.float64)
    table = np.column_stack([ratings, rewards, lengths])
    found: dict[Conversation, _Means] = {}
    start = 0
    for group in groups:
        own = table[start : start + len(group)]
        start += len(group)
        known = own[np.isfinite(own).all(axis=1)]
        if group.prompt in found:
            raise DataError("a prompt comes twice", wanted="one group a prompt", got=group.prompt[-1].content)
        if len(known):
            found[group.prompt] = _Means(group.group, known.mean(axis=0), known[:, :2].var(axis=0))
    return found


def _scaled(values: Float64[np.ndarray, " prompt"], deviation: float) -> Float64[np.ndarray, " prompt"]:
    return values / deviation if deviation > 0 else np.zeros_like(values)
