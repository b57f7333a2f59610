"""Shaped rewards, against values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.errors import DataError
from rewardsmith.optimise.reward.settings import RewardSettings
from rewardsmith.optimise.reward.shaping import centred, log_sigmoid, shaped, standardised

# Two prompts: 1, 3 and 10, 10, 16.
REWARDS = np.array([1.0, 10.0, 3.0, 10.0, 16.0])
PROMPTS = np.array([0, 7, 0, 7, 7])


def test_centring_takes_the_mean_of_each_prompt():
    # Means 2 and 12.
    assert centred(REWARDS, PROMPTS).tolist() == [-1.0, -2.0, 1.0, -2.0, 4.0]


def test_standardising_divides_by_the_deviation_of_the_prompt():
    # Variances 1 and (4 + 4 + 16) / 3 = 8.
    root = math.sqrt(8)
    assert standardised(REWARDS, PROMPTS) == pytest.approx([-1, -2 / root, 1, -2 / root, 4 / root])


def test_equal_rewards_are_standardised_to_nought():
    assert standardised(np.array([0.1, 0.1, 0.1]), np.array([0, 0, 0])).tolist() == [0, 0, 0]


def test_log_sigmoid_by_hand_and_far_out():
    # log σ(0) = −log 2; σ(2) = 0.8808; far below it is Δ itself.
    found = log_sigmoid(np.array([0.0, 2.0, -2.0, -1000.0, 1000.0]))
    assert found == pytest.approx([-0.693147, -0.126928, -2.126928, -1000.0, 0.0], abs=1e-6)


def test_the_order_of_shaping():
    # log σ(r − r_ref) = −log 2 and −0.126928 in one prompt: centred ∓0.28311, cut to ∓0.25, and 2·checked on top.
    settings = RewardSettings(reference="ref", centre=True, clip=0.25, verifiable_weight=2.0)
    found = shaped(
        np.array([1.0, 3.0]),
        np.array([0, 0]),
        settings,
        references=np.array([1.0, 1.0]),
        verified=np.array([1.0, 0.0]),
    )
    assert found.tolist() == pytest.approx([1.75, 0.25])


def test_without_settings_nothing_changes_but_the_checkers_part():
    assert shaped(REWARDS, PROMPTS, RewardSettings()).tolist() == REWARDS.tolist()
    found = shaped(REWARDS, PROMPTS, RewardSettings(), verified=np.array([0.0, 1.0, 0.0, 0.5, 1.0]))
    assert found.tolist() == [1.0, 11.0, 3.0, 10.5, 17.0]


def test_a_reference_that_is_missing_is_refused():
    with pytest.raises(DataError, match="reference"):
        shaped(REWARDS, PROMPTS, RewardSettings(reference="ref"))


values = st.lists(st.floats(-50, 50), min_size=2, max_size=8)


@given(values, st.floats(-100, 100))
def test_an_offset_of_a_prompt_changes_nothing(rewards: list[float], offset: float):
    prompts = np.zeros(len(rewards), dtype=np.int64)
    array = np.array(rewards)
    np.testing.assert_allclose(centred(array + offset, prompts), centred(array, prompts), atol=1e-9)


@given(values)
def test_standardised_rewards_have_mean_nought_and_deviation_one(rewards: list[float]):
    found = standardised(np.array(rewards), np.zeros(len(rewards), dtype=np.int64))
    assert abs(found.mean()) < 1e-6
    assert found.std() == pytest.approx(1) or not found.any()
