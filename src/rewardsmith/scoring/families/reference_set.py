"""The conversations on which members of a family are put on one scale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import DataError
from rewardsmith.core.preference import Preference
from rewardsmith.core.scores import Scorer

REFERENCE_PREFERENCES = 512
"""Preferences of a reference set: a scale from so many is known to about 3%."""


@dataclass(frozen=True, slots=True)
class ReferenceSet:
    """Responses of known prompts.

    Attributes:
        conversations: Each response of a prompt once.
        groups: The prompt group of each.
    """

    conversations: tuple[Conversation, ...]
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.conversations)


def reference_set(
    preferences: Sequence[Preference], *, most: int = REFERENCE_PREFERENCES, seed: int = 0
) -> ReferenceSet:
    """The responses of `preferences`, or of so many drawn from them where they are more.

    Raises:
        DataError: There is no preference.
    """
    if len(preferences) == 0:
        raise DataError("no reference set", wanted="at least one preference", got=0)
    drawn = np.random.default_rng(seed).permutation(len(preferences))[:most]
    found: dict[tuple[str, Conversation], None] = {}
    for index in np.sort(drawn).tolist():
        preference = preferences[index]
        for number in range(len(preference.responses)):
            found.setdefault((preference.group, preference.conversation(number)))
    return ReferenceSet(tuple(text for _, text in found), tuple(group for group, _ in found))


def rewards_of(
    members: Iterable[Scorer], conversations: Sequence[Conversation]
) -> Float32[np.ndarray, "member conversation"]:
    """The rewards of each member, which are asked one after the other: where `members` loads each, one is in memory."""
    return np.stack([member.score(conversations).rewards for member in members])
