"""Estimates of tokens, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.serve.costs import Costs
from rewardsmith.serve.work import Answer, Ask

PROMPT = user("p" * 100)
SHARED = Ask(conversations=((PROMPT, assistant("a" * 10)), (PROMPT, assistant("b" * 20)), (user("q"), assistant(""))))


def test_ids_are_counted() -> None:
    assert Costs().of(Ask(ids=((1, 2, 3), (1,), ()))) == [3, 1, 1]


def test_characters_are_weighed() -> None:
    # 4 a text and 0.3 a character, rounded up.
    assert Costs().of(Ask(texts=("x" * 10, ""))) == [7, 4]
    assert Costs().of(SHARED) == [4 + 33, 4 + 36, 4 + 1]


def test_a_shared_prompt_is_paid_for_once() -> None:
    assert Costs(shares_prompts=True).of(SHARED) == [4 + 33, 4 + 6, 4 + 1]


def test_the_ratio_is_learnt() -> None:
    costs, ask = Costs(), Ask(texts=("x" * 100,))
    scores = Scores(np.zeros(1, np.float32), Provenance("m", "t"))
    for _ in range(200):
        costs.learn(ask, Answer(scores, n_tokens=(104,)))
    assert costs.of(ask)[0] == pytest.approx(104, abs=1)


def test_what_was_cut_teaches_nothing() -> None:
    costs, ask = Costs(), Ask(texts=("x" * 100,))
    scores = Scores(np.zeros(1, np.float32), Provenance("m", "t"))
    costs.learn(ask, Answer(scores, n_tokens=(5,), n_truncated=1))
    assert costs.of(ask) == [34]
