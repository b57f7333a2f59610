"""Small preferences and scorers whose faults are known, because they were put there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rewardsmith.audit.observations import Observations, Rewards, observe
from rewardsmith.core.conversation import Conversation, assistant, response_text, user
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.core.scores import Provenance, Scores

PROVENANCE = Provenance(model_digest="m" * 64, template_digest="t" * 64)
_WORDS = ("red", "green", "blue", "stone", "river", "bird", "cloud", "lamp", "paper", "wheel", "seed")


class FunctionScorer:
    """Rewards by a function of the conversation; counts what it was asked."""

    def __init__(self, reward: Callable[[Conversation], float]) -> None:
        self.reward = reward
        self.asked: list[Conversation] = []

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        self.asked.extend(conversations)
        rewards = np.array([self.reward(conversation) for conversation in conversations], dtype=np.float32)
        return Scores(rewards, PROVENANCE)


class FeatureScorer(FunctionScorer):
    """One that shows features too."""

    def __init__(
        self, reward: Callable[[Conversation], float], features: Callable[[Sequence[Conversation]], np.ndarray]
    ) -> None:
        super().__init__(reward)
        self.features = features


def length_meter() -> FunctionScorer:
    """Rewards nothing but the number of characters."""
    return FunctionScorer(lambda conversation: len(response_text(conversation)) / 10)


def rater(preferences: Sequence[Preference], *, right: float, seed: int = 0) -> FunctionScorer:
    """Agrees with the raters on a share `right` of the preferences, whatever the answers look like."""
    rng = np.random.default_rng(seed)
    rewards: dict[Conversation, float] = {}
    for preference in preferences:
        agrees = rng.random() < right
        for pair in preference.pairs:
            better, worse = (pair.chosen, pair.rejected) if agrees else (pair.rejected, pair.chosen)
            strength = rng.uniform(0.5, 2.0)
            rewards[preference.conversation(better)] = strength / 2
            rewards[preference.conversation(worse)] = -strength / 2
    return FunctionScorer(lambda conversation: rewards[conversation])


def count_features(conversations: Sequence[Conversation]) -> np.ndarray:
    """Features without a meaning: how often some letters stand in the answer."""
    return np.array([[response_text(one).count(letter) for letter in "abcdefgh"] for one in conversations])


def simple(
    name: str,
    chosen: str,
    rejected: str,
    *,
    group: str | None = None,
    source: str = "planted",
    tie: bool = False,
    prob_chosen: float = 1.0,
    votes: tuple[str, ...] = (),
) -> Preference:
    """One pair."""
    return Preference(
        prompt=(user(f"question {name}"),),
        responses=((assistant(chosen),), (assistant(rejected),)),
        pairs=(Pair(0, 1, 0.5 if tie else prob_chosen, tie=tie),),
        id=name,
        group=group or name,
        source=source,
        votes=votes,
    )


def many(
    count: int,
    *,
    longer_share: float = 0.5,
    matched_share: float = 0.3,
    source: str = "planted",
    start: int = 0,
    seed: int = 0,
    good: str = "",
    bad: str = "",
) -> list[Preference]:
    """Pairs of random words. Of those that differ in length, a share `longer_share` has the longer answer chosen.

    `good` and `bad` are added to the chosen and the rejected answer, for a bag of words to find.
    """
    rng = np.random.default_rng([seed, start])
    made = []
    for number in range(start, start + count):
        apart = (18, 8) if rng.random() < longer_share else (8, 18)
        lengths = (12, 12) if rng.random() < matched_share else apart
        chosen, rejected = (" ".join(rng.choice(_WORDS, size)) for size in lengths)
        if lengths[0] == lengths[1]:
            width = min(len(chosen), len(rejected))
            chosen, rejected = chosen[:width] + "a", rejected[:width] + "b"
        name = f"{source}-{number}"
        made.append(simple(name, f"{chosen} {good}".strip(), f"{rejected} {bad}".strip(), source=source))
    return made


def observed(preferences: Sequence[Preference], rewards: Sequence[tuple[float, float]]) -> Observations:
    """Observations of simple preferences with the given rewards of chosen and rejected."""
    by_conversation = {
        preference.conversation(index): value
        for preference, pair in zip(preferences, rewards, strict=True)
        for index, value in enumerate(pair)
    }
    return observe(preferences, Rewards(by_conversation, PROVENANCE))
