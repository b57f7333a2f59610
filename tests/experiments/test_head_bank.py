"""Heads that are trained side by side."""

from __future__ import annotations

import numpy as np
import pytest
from experiments.head_bank import HeadPlan, averaged, score_heads, train_heads

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(60, 7)).astype(np.float32)
ORDER = np.argsort(-FEATURES[:, 0])
PAIRS = np.stack([ORDER[:29], ORDER[31:]], axis=1)[: 2 * 13]
OTHER = PAIRS[::-1, ::-1].copy()


def test_a_head_does_not_know_of_the_others():
    plans = [HeadPlan(1, 2, PAIRS), HeadPlan(3, 4, OTHER)]
    both = score_heads(FEATURES, train_heads(FEATURES, plans, width=5, epochs=4, batch_size=8))
    alone = [score_heads(FEATURES, train_heads(FEATURES, [plan], width=5, epochs=4, batch_size=8))[0] for plan in plans]
    assert both == pytest.approx(np.stack(alone), abs=1e-5)


def test_it_learns_which_side_is_better():
    rewards = score_heads(
        FEATURES, train_heads(FEATURES, [HeadPlan(1, 2, PAIRS), HeadPlan(1, 2, OTHER)], epochs=60, batch_size=8)
    )
    assert (rewards[0][PAIRS[:, 0]] > rewards[0][PAIRS[:, 1]]).all()
    assert (rewards[1][PAIRS[:, 0]] < rewards[1][PAIRS[:, 1]]).all()


def test_seeds_decide_and_the_average_is_of_the_weights():
    heads = train_heads(
        FEATURES, [HeadPlan(1, 2, PAIRS), HeadPlan(1, 2, PAIRS), HeadPlan(1, 3, PAIRS)], epochs=2, batch_size=8
    )
    rewards = score_heads(FEATURES, heads)
    assert rewards[0] == pytest.approx(rewards[1])
    assert rewards[0] != pytest.approx(rewards[2], abs=1e-4)
    mean = averaged(heads)
    assert np.array(mean["output"])[0] == pytest.approx(np.array(heads["output"]).mean(axis=0))
    assert score_heads(FEATURES, mean).shape == (1, 60)
