"""Best-of-n: of the responses to a prompt, the one that the reward likes best, and what that took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from pydantic import Field

from rewardsmith.core.finding import Estimate
from rewardsmith.core.scores import Scores
from rewardsmith.core.settings import Settings
from rewardsmith.numerics.best_of_n import best_of_n_nats
from rewardsmith.numerics.combination import Rule
from rewardsmith.numerics.intervals import group_bootstrap
from rewardsmith.optimise.policy.policy import SamplingSettings, response_seed
from rewardsmith.optimise.sample_store import group_values
from rewardsmith.optimise.samples import SampleGroup
from rewardsmith.optimise.selection import TieRule, pick, selection_values


class BestOfSettings(Settings):
    """How the best is found."""

    sampling: SamplingSettings = SamplingSettings()
    """How responses are drawn, and how many."""

    select: Rule = "mean"
    """What is picked by; `worst` and `penalised` need an ensemble."""

    weight: float = Field(default=0.5, ge=0)
    """λ of `penalised`, in standard deviations of the members' reference set."""

    ties: TieRule = "first"
    """Which of equal ones is taken: the first that was drawn, or one by lot."""

    prompts_at_once: int = Field(default=8, ge=1)
    """Prompts that are sampled and scored together. A killed run loses that much at most."""


def best_of(group: SampleGroup, scores: Scores, settings: BestOfSettings) -> dict[str, Any]:
    """The line of a prompt, as JSON values.

    `response`, `pick` (its number), `reward` and `mean_reward` (over all responses with one), `value` (what it was
    picked by), `tied` (how many share that), `spread` (how far an ensemble's members lie apart on it; null of a single
    model), `nats` (log n − (n−1)/n), `rewards` of all; and `prompt`, `group` and `samples` as in a file of samples.

    Args:
        group: The responses.
        scores: Of `group.conversations()`.
        settings: How to pick.

    Raises:
        ModelError: The rule needs an ensemble.
        DataError: No response has a finite reward.
    """
    values = selection_values(scores, settings.select, weight=settings.weight)
    taken = pick(values, ties=settings.ties, seed=response_seed(settings.sampling.seed, group.prompt, 0))
    rewards = scores.rewards.astype(np.float64)
    known = int(np.isfinite(values).sum())
    return group_values(group) | {
        "response": group.samples[taken.place].text,
        "pick": taken.place,
        "reward": float(rewards[taken.place]),
        "mean_reward": float(np.nanmean(rewards)),
        "value": taken.value,
        "tied": taken.tied,
        "spread": None if scores.spread is None else float(scores.spread[taken.place]),
        "n": known,
        "nats": best_of_n_nats(known),
        "rewards": [None if np.isnan(reward) else reward for reward in rewards.tolist()],
        "spreads": None if scores.spread is None else scores.spread.tolist(),
    }


@dataclass(frozen=True, slots=True)
class BestOfSummary:
    """A whole run.

    Attributes:
        prompts: How many.
        responses: How many, over all prompts.
        gain: Reward of the pick less the mean reward of its prompt, in the reward model's units, averaged over prompts.
        nats: log n − (n−1)/n, averaged over prompts.
        tied: Prompts where several responses shared the highest value.
        repeated: Responses whose text another of the prompt has too.
        unfinished: Responses that were cut at the limit.
        fewer: Prompts with fewer responses (with a reward) than were asked for.
        note: What the nats are, and are not.
    """

    prompts: int
    responses: int
    gain: Estimate
    nats: float
    tied: int
    repeated: int
    unfinished: int
    fewer: int
    note: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; an end of an interval that is not known is null."""
        values = asdict(self)
        gain = {key: None if isinstance(end, float) and np.isnan(end) else end for key, end in values["gain"].items()}
        return values | {"gain": gain, "nats": None if np.isnan(self.nats) else self.nats}


def summarise(lines: Iterable[Mapping[str, Any]], settings: BestOfSettings, *, is_drawn: bool) -> BestOfSummary:
    """What the lines of `best_of` say together.

    Args:
        lines: In any order.
        settings: They were made by.
        is_drawn: The responses are draws of one policy, and not candidates of many.
    """
    gains: list[float] = []
    nats: list[float] = []
    groups: list[str] = []
    responses = tied = repeated = unfinished = fewer = 0
    for line in lines:
        samples = line["samples"]
        gains.append(line["reward"] - line["mean_reward"])
        nats.append(line["nats"])
        groups.append(line["group"])
        responses += len(samples)
        tied += line["tied"] > 1
        repeated += len(samples) - len({sample["text"] for sample in samples})
        unfinished += sum(not sample["is_finished"] for sample in samples)
        fewer += line["n"] < settings.sampling.n
    return BestOfSummary(
        prompts=len(gains),
        responses=responses,
        gain=group_bootstrap(np.array(gains, dtype=np.float64), groups),
        nats=float(np.mean(nats)) if nats else float("nan"),
        tied=tied,
        repeated=repeated,
        unfinished=unfinished,
        fewer=fewer,
        note=_note(settings, is_drawn=is_drawn, tied=tied, prompts=len(gains)),
    )


def _note(settings: BestOfSettings, *, is_drawn: bool, tied: int, prompts: int) -> str:
    if not is_drawn:
        return "selection nats: how hard was selected among given candidates; no KL of a policy"
    said = "log n - (n-1)/n, the KL of best-of-n from the policy"
    if settings.sampling.temperature != 1 or settings.sampling.top_p != 1:
        said += f" as it was sampled (temperature {settings.sampling.temperature:g}, top_p {settings.sampling.top_p:g})"
    if tied:
        said += f"; an upper bound: in {tied} of {prompts} prompts responses tie"
    return said
