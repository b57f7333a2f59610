"""The policies side by side, on prompts that nothing was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rewardsmith.audit.evaluation import to_json
from rewardsmith.core.conversation import Conversation
from rewardsmith.core.finding import Estimate
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.scores import Scorer
from rewardsmith.core.store import read_manifest, write_json, writing_artefact
from rewardsmith.numerics.intervals import group_bootstrap, paired_difference, share_bootstrap
from rewardsmith.optimise.gold import Gold
from rewardsmith.optimise.kl import sequence_kl, sequence_kl_k3
from rewardsmith.optimise.samples import SampleGroup

KIND = "policy-comparison"
NAME = "comparison.json"


def compare(
    samples: Mapping[str, Sequence[SampleGroup]], scorers: Mapping[str, Scorer], gold: Gold
) -> dict[str, dict[str, Any]]:
    """`policies`: what each is; `differences`: gold of one less gold of another, paired by prompt.

    Intervals resample prompts: a policy that is better on a few prompts by much is not one that is better.

    Args:
        samples: Of each policy, the same prompts in the same order.
        scorers: The reward models.
        gold: What responses are worth.
    """
    golds = {name: _by_prompt(groups, gold.rate(_conversations(groups))) for name, groups in samples.items()}
    prompts = [group.group for group in next(iter(samples.values()))]
    names = list(samples)
    differences = {
        f"{names[late]} - {names[early]}": paired_difference(golds[names[late]], golds[names[early]], prompts)
        for late in range(len(names))
        for early in range(late)
    }
    policies = {name: _figures(groups, scorers, gold) for name, groups in samples.items()}
    return {"policies": policies, "differences": differences}


def write_comparison(found: Mapping[str, Mapping[str, Any]], out: Path, *, parents: Mapping[str, str]) -> Manifest:
    """Write `comparison.json` to `out`."""
    with writing_artefact(out, Manifest(kind=KIND, config={}, parents=dict(parents))) as draft:
        write_json(draft.folder / NAME, to_json(found))
    return read_manifest(out, KIND)


def agreement(groups: Sequence[SampleGroup], rewards: np.ndarray, ratings: np.ndarray) -> Estimate:
    """How often a reward model orders two responses to one prompt as gold does; a tie of the rewards counts a half."""
    credits: list[float] = []
    names: list[str] = []
    start = 0
    for group in groups:
        own, true = (values[start : start + len(group)] for values in (rewards, ratings))
        start += len(group)
        one, other = np.triu_indices(len(group), k=1)
        use = true[one] != true[other]
        signs = np.sign(own[one] - own[other]) * np.sign(true[one] - true[other])
        credits += ((1 + signs[use]) / 2).tolist()
        names += [group.group] * int(use.sum())
    return share_bootstrap(np.array(credits, dtype=np.float64), names)


def echoes(conversation: Conversation) -> bool:
    """The response says the question over again. The rubric likes that, and nobody else does."""
    asked, said = (conversation[place].content.lower().split() for place in (-2, -1))
    return " ".join(asked).strip(" .?!") in " ".join(said)


def _figures(groups: Sequence[SampleGroup], scorers: Mapping[str, Scorer], gold: Gold) -> dict[str, Any]:
    conversations = _conversations(groups)
    names = [group.group for group in groups for _ in range(len(group))]
    ratings = gold.rate(conversations)
    samples = [sample for group in groups for sample in group.samples]
    rewards = {name: scorer.score(conversations).rewards.astype(np.float64) for name, scorer in scorers.items()}
    lengths = np.array([sample.n_tokens for sample in samples], dtype=np.float64)
    finished = np.array([sample.is_finished for sample in samples], dtype=np.float64)
    return {
        "gold": group_bootstrap(ratings, names),
        "kl_nats": sequence_kl(groups),
        "kl_k3": sequence_kl_k3(groups),
        "reward": {name: group_bootstrap(each, names) for name, each in rewards.items()},
        "agreement": {name: agreement(groups, each, ratings) for name, each in rewards.items()},
        "tokens": group_bootstrap(lengths, names),
        "finished": share_bootstrap(finished, names),
        "echoes": share_bootstrap(np.array([echoes(each) for each in conversations], dtype=np.float64), names),
    }


def _by_prompt(groups: Sequence[SampleGroup], values: np.ndarray) -> np.ndarray:
    ends = np.cumsum([len(group) for group in groups])
    return np.array([each.mean() for each in np.split(values, ends[:-1])])


def _conversations(groups: Sequence[SampleGroup]) -> list[Conversation]:
    return [each for group in groups for each in group.conversations()]
