"""Responses that are there already, as a policy: of other models, of people, or of an earlier run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from rewardsmith.core.conversation import Conversation, to_dicts
from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.optimise.policy.policy import Prompt, response_seed
from rewardsmith.optimise.samples import Sample, SampleGroup


class CandidatePolicy:
    """Gives what a file holds for a prompt: all of it, or `n` drawn without replacement, in the file's order.

    The candidates of many models are no draws of one policy: what is picked from them has no KL, and log n − (n−1)/n
    only counts how hard was selected (selection nats).

    Args:
        groups: One a prompt; later ones of the same prompt are added to the first.

    Raises:
        SettingsError: There is none.
    """

    def __init__(self, groups: Sequence[SampleGroup]) -> None:
        if not groups:
            raise SettingsError("no candidates", wanted="at least one prompt with responses")
        merged: dict[Conversation, SampleGroup] = {}
        for group in groups:
            known = merged.get(group.prompt)
            samples = group.samples if known is None else known.samples + group.samples
            merged[group.prompt] = SampleGroup(group.prompt, group.group if known is None else known.group, samples)
        self._groups = merged

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """All prompts that there are candidates for, in their order."""
        return tuple((each.prompt, each.group) for each in self._groups.values())

    @property
    def identity(self) -> Mapping[str, Any]:
        """Digest of all candidates."""
        return {"candidates": self._digest}

    def sample(self, prompts: Sequence[Prompt], *, n: int, seed: int) -> Iterator[SampleGroup]:
        """At most `n` candidates of each prompt; fewer where there are fewer. The groups' names are the prompts'.

        Raises:
            DataError: There are no candidates for a prompt.
        """
        for number, (prompt, group) in enumerate(prompts):
            known = self._groups.get(prompt)
            if known is None or not known.samples:
                raise DataError(
                    "no candidates for a prompt",
                    wanted="responses to it in the file of candidates",
                    got=prompt[-1].content if prompt else "an empty prompt",
                    where=f"prompt {number}",
                )
            yield SampleGroup(prompt, group, _drawn(known, n, seed))

    @cached_property
    def _digest(self) -> str:
        groups = self._groups.values()
        return digest_json([[to_dicts(each.prompt), [sample.text for sample in each.samples]] for each in groups])


def _drawn(group: SampleGroup, n: int, seed: int) -> tuple[Sample, ...]:
    if n >= len(group):
        return group.samples
    order = np.random.default_rng(response_seed(seed, group.prompt, 0)).permutation(len(group))
    return tuple(group.samples[place] for place in sorted(order[:n].tolist()))
