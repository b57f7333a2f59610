"""Members on one scale, and the rules that combine them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.errors import DataError
from rewardsmith.numerics.combination import (
    Standard,
    centred,
    combine,
    mean,
    penalised,
    spread,
    standard_of,
    standardise,
    worst,
)

MEMBERS = np.array([[1.0], [2.0], [3.0]])


def test_the_values_of_the_hand():
    # Members (1, 2, 3): mean 2, smallest 1, population variance 2/3, so 2 − .5 · 2/3 = 1.667.
    assert mean(MEMBERS) == pytest.approx([2.0])
    assert worst(MEMBERS) == pytest.approx([1.0])
    assert penalised(MEMBERS, 0.5) == pytest.approx([5 / 3])
    assert spread(MEMBERS) == pytest.approx([(2 / 3) ** 0.5])


def test_combine_goes_by_the_name_of_the_rule():
    assert combine(MEMBERS, "mean", weight=0.5) == pytest.approx([2.0])
    assert combine(MEMBERS, "worst", weight=0.5) == pytest.approx([1.0])
    assert combine(MEMBERS, "penalised", weight=0.5) == pytest.approx([5 / 3])


def test_the_standard_by_hand():
    # Within prompt a deviations −1, 1; within b −2, 2; squares 10, freedom 4 − 2: √5. Mean of 1, 3, 10, 14 is 7.
    rewards = np.array([[1.0, 3.0, 10.0, 14.0], [2.0, 1.0, 0.0, 5.0]])
    standard = standard_of(rewards, ["a", "a", "b", "b"])

    assert standard.offsets == pytest.approx([7.0, 2.0])
    # Member 1: ±½ in a, ±2.5 in b: squares 13, √6.5.
    assert standard.scales == pytest.approx([5**0.5, 6.5**0.5])
    assert standardise(rewards, standard)[0] == pytest.approx(np.array([-6, -4, 3, 7]) / 5**0.5)


def test_a_prompt_with_one_response_moves_the_offset_only():
    with_single = standard_of(np.array([[1.0, 3.0, 100.0]]), ["a", "a", "b"])
    assert with_single.scales == pytest.approx([2**0.5])
    assert with_single.offsets == pytest.approx([104 / 3])


def test_what_prompts_differ_by_is_no_scale():
    rewards = np.array([[0.0, 1.0, 0.0, 1.0]])
    apart = rewards + np.array([0.0, 0.0, 1000.0, 1000.0])
    groups = ["a", "a", "b", "b"]
    assert standard_of(apart, groups).scales == pytest.approx(standard_of(rewards, groups).scales)


@given(
    st.integers(0, 10_000),
    st.floats(-10, 10),
    st.floats(0.1, 20),
    st.sampled_from(["mean", "worst", "penalised"]),
)
def test_an_offset_or_a_scale_of_one_member_changes_no_winner(seed, offset, scale, rule):
    rng = np.random.default_rng(seed)
    rewards, groups = rng.normal(size=(3, 14)), np.repeat(np.arange(7), 2)
    louder = rewards.copy()
    louder[1] = louder[1] * scale + offset

    plain = combine(standardise(rewards, standard_of(rewards, groups)), rule, weight=0.5)
    loud = combine(standardise(louder, standard_of(louder, groups)), rule, weight=0.5)

    assert loud == pytest.approx(plain, abs=1e-9)


def test_ten_more_on_one_member_would_change_winners_without_a_standard():
    rewards = np.array([[0.0, 1.0], [3.0, -1.0]])
    louder = rewards + np.array([[10.0], [0.0]])
    assert worst(rewards).argmax() == 0
    # Member 0 is now never the smallest: it has no say.
    assert worst(louder) == pytest.approx(rewards[1])
    offset = standard_of(louder, ["a", "a"])
    plain = standard_of(rewards, ["a", "a"])
    assert worst(standardise(louder, offset)) == pytest.approx(worst(standardise(rewards, plain)))


@given(st.integers(0, 10_000), st.floats(0, 5))
def test_rules_are_ordered_and_do_not_know_the_members_order(seed, weight):
    rewards = np.random.default_rng(seed).normal(size=(5, 11))
    assert (worst(rewards) <= mean(rewards) + 1e-12).all()
    assert (penalised(rewards, weight) <= mean(rewards) + 1e-12).all()
    for rule in (mean, worst, spread):
        assert rule(rewards[::-1]) == pytest.approx(rule(rewards))
    assert penalised(rewards, 0.0) == pytest.approx(mean(rewards))


def test_members_that_agree_have_no_spread_and_one_reward():
    rewards = np.tile(np.array([1.0, -2.0, 0.5]), (4, 1))
    assert spread(rewards) == pytest.approx(np.zeros(3))
    for rule in ("mean", "worst", "penalised"):
        assert combine(rewards, rule, weight=3.0) == pytest.approx(rewards[0])


def test_centring_takes_the_prompts_mean_of_each_member():
    rewards = np.array([[1.0, 3.0, 10.0], [0.0, 4.0, -1.0]])
    assert centred(rewards, ["a", "a", "b"]) == pytest.approx(np.array([[-1.0, 1.0, 0.0], [-2.0, 2.0, 0.0]]))


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_a_constant_member_is_named(offset):
    rewards = np.array([[0.1, 0.4, 0.2, 0.3], [offset, offset, offset + 1, offset + 1]], dtype=np.float32)
    with pytest.raises(DataError, match=r"member b: a member gives all responses .* the same reward.*leave it out"):
        standard_of(rewards, [0, 0, 1, 1], names=["a", "b"])


def test_what_cannot_be_standardised_is_refused():
    with pytest.raises(DataError, match="wanted a prompt with two responses; got 2 prompts of one"):
        standard_of(np.array([[1.0, 2.0]]), ["a", "b"])
    with pytest.raises(DataError, match="not a finite number"):
        standard_of(np.array([[1.0, np.nan]]), ["a", "a"])
    standard = Standard(np.zeros(2), np.ones(2))
    with pytest.raises(DataError, match="wanted 2 members; got 3"):
        standardise(MEMBERS, standard)
    with pytest.raises(DataError, match=r"member 1: unusable standard.*got 0\.0 and 0\.0"):
        Standard(np.zeros(2), np.array([1.0, 0.0]))
    with pytest.raises(DataError, match="differ in number"):
        Standard(np.zeros(2), np.ones(3))
