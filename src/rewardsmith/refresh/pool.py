"""The pairs that people could be asked about, and what the incumbent says of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float32, Float64, Int64

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.scores import Scorer
from rewardsmith.optimise.samples import SampleGroup


@dataclass(frozen=True, slots=True)
class Pool:
    """Pairs of responses to one prompt each.

    Attributes:
        conversations: Distinct ones.
        pairs: `[pair, 2]`, numbers of conversations, in an order that carries no meaning.
        groups: Prompt group of each pair.
    """

    conversations: tuple[Conversation, ...]
    pairs: Int64[np.ndarray, "pair 2"]
    groups: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.pairs)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the incumbent makes of a pool.

    Attributes:
        rewards: Of the two responses.
        members: The same of each member of an ensemble; absent of a single model.
        features: What lies between the two in the model's own features, the one that it likes better less the other, so
            that the order of the pair does not matter; absent where the model shows none.
    """

    rewards: Float64[np.ndarray, "pair 2"]
    members: Float64[np.ndarray, "member pair 2"] | None = None
    features: Float32[np.ndarray, "pair hidden"] | None = None

    @property
    def margin(self) -> Float64[np.ndarray, " pair"]:
        """Reward of the first less that of the second."""
        return self.rewards[:, 0] - self.rewards[:, 1]


def pool_of(groups: Sequence[SampleGroup], *, per_prompt: int, most: int, seed: int) -> Pool:
    """Pairs of distinct responses: so many a prompt, so many in all, and their sides, by lot."""
    rng = np.random.default_rng(seed)
    numbers: dict[Conversation, int] = {}
    drawn: list[tuple[Conversation, Conversation, str]] = []
    for group in groups:
        texts = list(dict.fromkeys(group.conversations()))
        found = list(combinations(texts, 2))
        places = rng.permutation(len(found))[:per_prompt] if found else []
        for place in sorted(int(each) for each in places):
            one, other = found[place] if rng.random() < 0.5 else found[place][::-1]
            drawn.append((one, other, group.group))
    kept = sorted(rng.permutation(len(drawn))[:most].tolist())
    pairs = [[numbers.setdefault(side, len(numbers)) for side in drawn[place][:2]] for place in kept]
    return Pool(
        tuple(numbers), np.array(pairs, dtype=np.int64).reshape(-1, 2), tuple(drawn[place][2] for place in kept)
    )


def read_pool(pool: Pool, scorer: Scorer, *, with_features: bool) -> Reading:
    """Score every conversation of a pool once; pairs without two finite rewards have NaN.

    Raises:
        RewardsmithError: What the scorer raises.
    """
    scores = scorer.score(pool.conversations)
    rewards = scores.rewards.astype(np.float64)[pool.pairs]
    members = None if scores.members is None else scores.members.astype(np.float64)[:, pool.pairs]
    features = pair_features(scorer, pool.conversations, pool.pairs, rewards) if with_features else None
    return Reading(rewards, members, features)


def pair_features(
    scorer: Scorer,
    conversations: Sequence[Conversation],
    pairs: Int64[np.ndarray, "pair 2"],
    rewards: Float64[np.ndarray, "pair 2"],
) -> Float32[np.ndarray, "pair hidden"] | None:
    """`Reading.features`; `None` where the scorer shows none."""
    found = features_of(scorer, conversations)
    if found is None:
        return None
    sign = np.where(rewards[:, 0] >= rewards[:, 1], 1.0, -1.0)[:, None]
    return (sign * (found[pairs[:, 0]] - found[pairs[:, 1]])).astype(np.float32)


def features_of(scorer: Scorer, conversations: Sequence[Conversation]) -> Float32[np.ndarray, "item hidden"] | None:
    """What the scorer's last layer reads, or that of the first member of an ensemble; `None` where none shows it."""
    for one in (scorer, *getattr(scorer, "members", ())):
        read = getattr(one, "features", None)
        if callable(read):
            return np.asarray(read(conversations), dtype=np.float32)
    return None
