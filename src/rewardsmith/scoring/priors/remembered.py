"""A prior that is asked once for each text."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from rewardsmith.core.conversation import Conversation, to_dicts
from rewardsmith.scoring.cache import RewardCache
from rewardsmith.scoring.priors.prior import PriorFunction


class RememberedPrior:
    """The same values as `function`, which is asked only for conversations that `cache` does not know.

    An audit scores the same texts several times, and a language model reads them as slowly as a reward model does.
    """

    def __init__(self, function: PriorFunction, cache: RewardCache[float]) -> None:
        self.function = function
        self._cache = cache

    def __call__(self, conversations: Sequence[Conversation]) -> Float32[np.ndarray, " conversation"]:
        """One value a conversation, in order."""
        keys = [self._key(each) for each in conversations]
        known = self._cache.find(keys)
        missing = {key: each for key, each in zip(keys, conversations, strict=True) if key not in known}
        if missing:
            values = self.function(list(missing.values()))
            found = dict(zip(missing, values.tolist(), strict=True))
            self._cache.add(found)
            known = known | found
        return np.array([known[key] for key in keys], np.float32)

    def _key(self, conversation: Conversation) -> bytes:
        return self._cache.key(np.frombuffer(json.dumps(to_dicts(conversation)).encode(), np.uint8))
