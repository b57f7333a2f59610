"""Several scorers on the same conversations, in turn, with their rewards and their seconds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rewardsmith.audit.observations import Rewards, distinct_conversations, score_conversations
from rewardsmith.core.conversation import Conversation, Message
from rewardsmith.core.preference import Preference
from rewardsmith.core.scores import Scorer

_START = "And so it goes on and on:"


@dataclass(frozen=True, slots=True)
class Timed:
    """What one scorer gave, and how long each round took it.

    Attributes:
        rewards: Of every conversation of the preferences.
        seconds: Of each round.
        conversations: Of each round.
    """

    rewards: Rewards
    seconds: tuple[float, ...]
    conversations: tuple[int, ...]

    @property
    def per_s(self) -> float:
        """Conversations a second over all rounds."""
        return sum(self.conversations) / sum(self.seconds)


@dataclass(frozen=True, slots=True)
class Speed:
    """How many times the conversations a second of another scorer one does, at equal work.

    Attributes:
        ratio: Median over the rounds.
        low: Lowest of a round.
        high: Highest of a round.
        rounds: How many.
        before_per_s: Conversations a second of the other one.
        after_per_s: Of this one.
    """

    ratio: float
    low: float
    high: float
    rounds: int
    before_per_s: float
    after_per_s: float


def score_side_by_side(
    scorers: Mapping[str, Scorer], preferences: Sequence[Preference], *, rounds: int = 5
) -> dict[str, Timed]:
    """Score the preferences' conversations with each scorer, a share of them at a time, the scorers taking turns.

    Whatever else the machine does meanwhile then slows all of them alike. Each conversation is scored once by each, so
    that nothing is remembered; the answers to a prompt stay together. First goes, untimed, the longest conversation
    with its words in another order: a scorer tries out at its first text of a length how it may be computed.

    Raises:
        ModelError: A scorer returns another number of rewards than conversations.
    """
    shares = _shares(preferences, rounds)
    found: dict[str, dict[Conversation, float]] = {name: {} for name in scorers}
    seconds: dict[str, list[float]] = {name: [] for name in scorers}
    last: dict[str, Rewards] = {}
    cut = dict.fromkeys(scorers, 0)
    for scorer in scorers.values():
        scorer.score([_warm_up([each for share in shares for each in share])])
    for share in shares:
        for name, scorer in scorers.items():
            started = time.perf_counter()
            last[name] = score_conversations(scorer, share)
            seconds[name].append(time.perf_counter() - started)
            found[name] |= last[name].by_conversation
            cut[name] += last[name].truncated or 0
    sizes = tuple(len(share) for share in shares)
    return {
        name: Timed(Rewards(found[name], last[name].provenance, cut[name]), tuple(seconds[name]), sizes)
        for name in scorers
    }


def speed_of(after: Timed, before: Timed) -> Speed:
    """`after` against `before`, round by round."""
    ratios = [other / own for other, own in zip(before.seconds, after.seconds, strict=True)]
    return Speed(
        ratio=statistics.median(ratios),
        low=min(ratios),
        high=max(ratios),
        rounds=len(ratios),
        before_per_s=before.per_s,
        after_per_s=after.per_s,
    )


def _shares(preferences: Sequence[Preference], rounds: int) -> list[list[Conversation]]:
    """New conversations of every n-th preference, so that long and short ones lie in all shares; none is empty."""
    known: set[Conversation] = set()
    shares = []
    for number in range(rounds):
        share = [each for each in distinct_conversations(preferences[number::rounds]) if each not in known]
        known.update(share)
        shares.append(share)
    return [share for share in shares if share]


def _warm_up(conversations: Sequence[Conversation]) -> Conversation:
    """The longest one backwards, word by word: none of them, and no shorter."""
    longest = max(conversations, key=lambda each: sum(len(turn.content) for turn in each))
    return tuple(Message(role, " ".join([_START, *reversed(content.split())])) for role, content in longest)
