"""What a scorer returns, and the protocol that everything after training knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from rewardsmith.core.conversation import Conversation


@dataclass(frozen=True, slots=True)
class Provenance:
    """Which weights and which rendering gave the scores (hex digests)."""

    model_digest: str
    template_digest: str


@dataclass(frozen=True, slots=True)
class Scores:
    """Raw rewards, in the order of the conversations.

    Attributes:
        rewards: `[conversation]`, float32 logits. Comparable only within one prompt and one model.
        provenance: Digests of the model and of the template.
    """

    rewards: Float32[np.ndarray, " conversation"]
    provenance: Provenance

    def __len__(self) -> int:
        return len(self.rewards)


@runtime_checkable
class Scorer(Protocol):
    """Anything that turns conversations into rewards."""

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """One reward a conversation, in order."""
        ...
