"""How many threads a batch gets: to wake the others for one short text may take longer than what they save."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.scoring.engine import FastScorer

SMALL_TOKENS = 256
"""Most tokens of a batch that may get fewer threads."""

_REPEATS = 5
_LONG_S = 0.2
"""A model that takes so long for a short text has layers that are large enough for all threads."""


@dataclass(frozen=True, slots=True)
class Threads:
    """Threads of a batch.

    Attributes:
        many: Of a large one.
        few: Of one of at most `SMALL_TOKENS` tokens.
    """

    many: int
    few: int

    def of(self, n_tokens: int) -> int:
        """Of a batch of so many tokens."""
        return self.few if n_tokens <= SMALL_TOKENS else self.many


def quickest_threads(scorer: FastScorer) -> Threads:
    """Try the model on short texts, with one thread and with all in turn.

    A quarter of a second for a small model, two short texts for a large one. The number of threads is left as it was.
    """
    many = torch.get_num_threads()
    if many == 1 or scorer.model.device.type != "cpu":
        return Threads(many, many)
    times: dict[int, list[float]] = {many: [], 1: []}
    try:
        _seconds(scorer, _text(0))
        if _seconds(scorer, _text(1)) > _LONG_S:
            return Threads(many, many)
        for repeat in range(_REPEATS):
            for count, seconds in times.items():
                torch.set_num_threads(count)
                seconds.append(_seconds(scorer, _text(2 + 2 * repeat + (count == 1))))
    finally:
        torch.set_num_threads(many)
    return Threads(many, quickest(times))


def quickest(times: Mapping[int, Sequence[float]]) -> int:
    """The number of threads whose median time is the shortest; of equal ones the smallest."""
    return min(times, key=lambda count: (statistics.median(times[count]), count))


def _seconds(scorer: FastScorer, conversation: Conversation) -> float:
    start = time.perf_counter()
    scorer.score([conversation])
    return time.perf_counter() - start


def _text(number: int) -> Conversation:
    """Some hundred tokens, no two alike, so that none is remembered."""
    return user(f"Which is number {number}?"), assistant(f"{number}: " + "it is this one, as far as I know. " * 10)
