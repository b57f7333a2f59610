"""A prior that is another reward."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.scores import Scorer


class RewardModelPrior:
    """The rewards of `scorer`, as they are: their scale is that model's own, so the term's weight has to suit it."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer

    def __call__(self, conversations: Sequence[Conversation]) -> Float32[np.ndarray, " conversation"]:
        """One reward a conversation, in order.

        Raises:
            OverlengthError: A conversation is too long, and truncation was not asked for.
        """
        return np.asarray(self.scorer.score(conversations).rewards, np.float32)

    def n_truncated(self) -> int:
        """Conversations that the scorer had to cut so far."""
        return int(getattr(self.scorer, "n_truncated", 0))
