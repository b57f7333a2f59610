"""Pairs for DPO: from scored samples, the best against the worst; from preferences, as they were judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from rewardsmith.core.conversation import Conversation, assistant, to_dicts
from rewardsmith.core.errors import DataError
from rewardsmith.core.preference import Preference
from rewardsmith.optimise.samples import SampleGroup


@dataclass(frozen=True, slots=True)
class DpoPair:
    """Two responses to a prompt.

    Attributes:
        prompt: Turns up to the response.
        chosen: Turns of the better one.
        rejected: Turns of the worse one.
        group: Prompt group.
        margin: By how much, in the reward's units; `None` where people judged.
    """

    prompt: Conversation
    chosen: Conversation
    rejected: Conversation
    group: str
    margin: float | None = None

    def row(self) -> dict[str, Any]:
        """As TRL reads it: `prompt`, `chosen` and `rejected` as messages."""
        sides = {"prompt": self.prompt, "chosen": self.chosen, "rejected": self.rejected}
        return {name: to_dicts(turns) for name, turns in sides.items()}


def sample_pairs(
    groups: Sequence[SampleGroup],
    rewards: Sequence[Float[np.ndarray, " response"]],
    *,
    least_margin: float = 0.0,
    finished_only: bool = False,
) -> tuple[list[DpoPair], Counter[str]]:
    """Of each prompt, the response with the highest reward against the one with the lowest.

    Returns:
        The pairs, and what became of the prompts: `pairs`, `few` (fewer than two responses to choose from), `level`
        (the best is no more than `least_margin` above the worst) and `same_text`.

    Args:
        rewards: One array a group; NaN is a response without a reward, which is not taken.
        least_margin: The difference must be larger.
        finished_only: Responses that were cut at the limit are not taken.

    Raises:
        DataError: Rewards and responses differ in number.
    """
    pairs: list[DpoPair] = []
    fates: Counter[str] = Counter(pairs=0, few=0, level=0, same_text=0)
    if len(groups) != len(rewards):
        raise DataError("groups and rewards differ in number", wanted=f"{len(groups)}", got=len(rewards))
    for group, values in zip(groups, rewards, strict=True):
        if len(values) != len(group):
            raise DataError("rewards of another number", wanted=f"{len(group)}", got=len(values), where=group.group)
        usable = [place for place, sample in enumerate(group.samples)
                  if not np.isnan(values[place]) and (sample.is_finished or not finished_only)]  # fmt: skip
        if len(usable) < 2:
            fates["few"] += 1
            continue
        best, worst = (order(usable, key=lambda place: float(values[place])) for order in (max, min))
        texts = group.samples[best].text, group.samples[worst].text
        margin = float(values[best] - values[worst])
        fate = "level" if margin <= least_margin else "same_text" if texts[0] == texts[1] else "pairs"
        fates[fate] += 1
        if fate == "pairs":
            pairs.append(DpoPair(group.prompt, (assistant(texts[0]),), (assistant(texts[1]),), group.group, margin))
    return pairs, fates


def preference_pairs(preferences: Iterable[Preference]) -> tuple[list[DpoPair], Counter[str]]:
    """The comparisons of preferences, as they were judged: the baseline that needs no reward model.

    Returns:
        The pairs, and what became of the comparisons: `pairs`, `ties`, `even` (a soft label of a half). A soft label
        below a half turns its pair round.
    """
    pairs: list[DpoPair] = []
    fates: Counter[str] = Counter(pairs=0, ties=0, even=0)
    for preference in preferences:
        for pair in preference.pairs:
            fate = "ties" if pair.tie else "even" if pair.prob_chosen == 0.5 else "pairs"
            fates[fate] += 1
            if fate != "pairs":
                continue
            order = (pair.chosen, pair.rejected) if pair.prob_chosen > 0.5 else (pair.rejected, pair.chosen)
            chosen, rejected = (tuple(preference.responses[place]) for place in order)
            pairs.append(DpoPair(preference.prompt, chosen, rejected, preference.group))
    return pairs, fates
