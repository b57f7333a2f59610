"""A small batch gets the number of threads that was quickest when it was tried."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from rewardsmith.core.conversation import assistant, user
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.scoring.engine import FastScorer
from rewardsmith.serve.answering import Answering
from rewardsmith.serve.threads import SMALL_TOKENS, Threads, quickest, quickest_threads
from rewardsmith.serve.work import Answer, Ask
from rewardsmith.text.encoder import ConversationEncoder


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def scorer(tiny: Any) -> FastScorer:
    return FastScorer(RewardModel(tiny.llama()), ConversationEncoder(tiny.decoder_tokenizer()))


def test_the_quickest_by_their_medians():
    # Medians 2 and 3; the means, 34 and 3, say the opposite.
    assert quickest({4: [3.0, 3.0, 3.0], 1: [1.0, 2.0, 99.0]}) == 1
    assert quickest({4: [2.0], 1: [3.0]}) == 4
    assert quickest({4: [2.0], 1: [2.0]}) == 1


def test_only_a_small_batch_gets_few():
    threads = Threads(many=8, few=1)

    assert [threads.of(n) for n in (1, SMALL_TOKENS, SMALL_TOKENS + 1)] == [1, 1, 8]


@pytest.mark.usefixtures("two_threads")
def test_trying_leaves_the_number_as_it_was(scorer: FastScorer):
    found = quickest_threads(scorer)

    assert found.many == torch.get_num_threads() == 2
    assert found.few in (1, 2)
    # 2 at first, and 5 of each number where those were quick; no text twice.
    assert scorer.statistics.computed == scorer.statistics.texts
    assert scorer.statistics.texts in (2, 12)


@pytest.mark.usefixtures("two_threads")
def test_nothing_is_tried_with_one_thread(scorer: FastScorer):
    torch.set_num_threads(1)

    assert quickest_threads(scorer) == Threads(1, 1)
    assert scorer.statistics.texts == 0


@pytest.mark.usefixtures("two_threads")
def test_a_batch_runs_with_its_number(scorer: FastScorer):
    answering = Answering(scorer, threads=Threads(many=2, few=1))
    short = (user("a"), assistant("b"))
    long = (user("a"), assistant("b" * 240))

    [found] = answering.answers([Ask(conversations=(short,))])
    assert torch.get_num_threads() == 1
    [other] = answering.answers([Ask(conversations=(short, long))])
    assert torch.get_num_threads() == 2

    assert isinstance(found, Answer)
    assert isinstance(other, Answer)
    assert other.scores.rewards[0] == pytest.approx(found.scores.rewards[0], abs=1e-6)
