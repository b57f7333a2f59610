from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest
from tests.pipeline.plain_pairs import preferences

from rewardsmith.audit.observations import distinct_conversations
from rewardsmith.core.conversation import Conversation, response_text
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.pipeline.side_by_side import score_side_by_side, speed_of


class Counting:
    """Rewards are lengths; each text costs so long."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.seen: list[Conversation] = []
        self.n_truncated = 0

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        self.seen += conversations
        self.n_truncated += len(conversations)
        time.sleep(self.seconds * len(conversations))
        rewards = [len(response_text(each)) for each in conversations]
        return Scores(np.array(rewards, dtype=np.float32), Provenance(str(self.seconds), "template"))


def test_each_scores_each_conversation_once_after_a_warm_up():
    some = preferences(7)
    scorers = {"before": Counting(0.004), "after": Counting(0.001)}

    found = score_side_by_side(scorers, [*some, *some[:2]], rounds=3)

    for name, scorer in scorers.items():
        assert sorted(scorer.seen[1:]) == sorted(distinct_conversations(some))
        assert set(found[name].rewards.by_conversation.values()) == {5.0}
        assert found[name].rewards.truncated == 14
        assert sum(found[name].conversations) == 14
    speed = speed_of(found["after"], found["before"])
    assert speed.rounds == 3
    assert 2.0 < speed.low <= speed.ratio <= speed.high < 8.0
    assert speed.after_per_s / speed.before_per_s == pytest.approx(speed.ratio, rel=0.5)


def test_fewer_preferences_than_rounds():
    found = score_side_by_side({"only": Counting(0)}, preferences(2), rounds=5)

    assert found["only"].conversations == (2, 2)
