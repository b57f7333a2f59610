"""Figures by hand, and the same figures however the pairs are grouped."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.training.metrics import (
    Outcomes,
    Totals,
    accuracy_credits,
    figures,
    largest_reward,
    merged,
    speeds,
    totals_of,
)

floats = st.floats(-50, 50, width=32)
pairs = st.lists(
    st.tuples(st.floats(0, 20, width=32), st.floats(0, 3, width=32), floats, st.sampled_from([0.0, 0.3, 0.5, 1.0])),
    max_size=30,
)


def outcomes(losses, weights, deltas, prob_chosen, rewards, **tokens) -> Outcomes:
    arrays = [np.array(values, np.float32) for values in (losses, weights, deltas, prob_chosen, rewards)]
    return Outcomes(arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], **tokens)


def test_figures_by_hand():
    # Rewards (2.1, .8, 1.9) against (.4, 1.0, 1.2): deltas 1.7, -.2, .7; softplus(-delta) = .1679, .7981, .4032,
    # mean .4564; two of three right; margin (1.7 - .2 + .7)/3 = .7333; reward mean 7.4/6.
    found = figures(
        totals_of(
            outcomes([0.1679, 0.7981, 0.4032], [1, 1, 1], [1.7, -0.2, 0.7], [1, 1, 1], [2.1, 0.8, 1.9, 0.4, 1.0, 1.2])
        )
    )

    assert found["loss"] == pytest.approx(0.4564, abs=1e-4)
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["margin_mean"] == pytest.approx(2.2 / 3)
    assert found["reward_mean"] == pytest.approx(7.4 / 6)
    assert (found["reward_min"], found["reward_max"]) == pytest.approx((0.4, 2.1))
    assert (found["reward_ties"], found["pairs"]) == (0, 3)


def test_the_loss_is_weighted_and_the_accuracy_is_not():
    # (3·1 + 1·2)/4 = 1.25, and one of two right.
    found = figures(totals_of(outcomes([1, 2], [3, 1], [1, -1], [1, 1], [1, 0])))

    assert found["loss"] == pytest.approx(1.25)
    assert found["accuracy"] == pytest.approx(0.5)


def test_equal_rewards_get_half_and_are_counted():
    found = figures(totals_of(outcomes([0.7] * 4, [1] * 4, [0, 0, 1, -1], [1] * 4, [0.0])))

    assert found["accuracy"] == pytest.approx((0.5 + 0.5 + 1 + 0) / 4)
    assert found["reward_ties"] == 2
    assert accuracy_credits(np.array([2.0, 0.0, -2.0])).tolist() == [1.0, 0.5, 0.0]


def test_a_label_without_direction_is_not_judged_and_one_below_half_is_turned():
    # Pair 1 is a tie (p=.5): not judged. Pair 2 says p=.25: the rejected one is preferred, delta -3 is right by 3.
    found = figures(totals_of(outcomes([1, 1], [1, 1], [9, -3], [0.5, 0.25], [0.0])))

    assert (found["directed_pairs"], found["pairs"]) == (1, 2)
    assert found["accuracy"] == 1.0
    assert found["margin_mean"] == pytest.approx(3.0)


def test_nothing_gives_nan_and_no_error():
    found = figures(Totals())

    assert all(math.isnan(found[key]) for key in ("loss", "accuracy", "margin_mean", "reward_mean", "reward_min"))
    assert found["pairs"] == 0


@given(rows=pairs, size=st.integers(1, 7))
def test_any_grouping_gives_the_same_figures(rows, size):
    def of(part):
        columns = list(zip(*part, strict=True)) if part else [[], [], [], []]
        return totals_of(outcomes(*columns, rewards=[row[2] for row in part], tokens=len(part)))

    whole = figures(of(rows))
    parts = figures(merged(of(rows[start : start + size]) for start in range(0, len(rows), size)))

    assert whole.keys() == parts.keys()
    for key, value in whole.items():
        assert parts[key] == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True)


def test_a_mean_of_batch_means_is_something_else():
    # Three pairs in batches of 2 and 1 with losses (0, 0) and (3): 1.0, where the mean of means is 1.5.
    parts = [outcomes([0, 0], [1, 1], [1, 1], [1, 1], [0]), outcomes([3], [1], [1], [1], [0])]

    assert figures(merged(map(totals_of, parts)))["loss"] == pytest.approx(1.0)


def test_speeds_and_padding():
    totals = Totals(tokens=300, computed_tokens=240, pairs=6)

    assert speeds(totals, 2.0) == {"tokens_per_s": 150.0, "pairs_per_s": 3.0, "computed_share": 0.8}


def test_the_largest_reward_has_no_sign():
    assert largest_reward({"reward_min": -7.0, "reward_max": 3.0}) == 7.0
    assert largest_reward({"eval_reward_min": -1.0, "eval_reward_max": 3.0}, prefix="eval_") == 3.0
    assert math.isnan(largest_reward({"loss": 1.0}))


def test_totals_survive_a_checkpoint():
    totals = totals_of(outcomes([1], [1], [1], [1], [2.0]))

    saved: Any = totals.as_dict()
    assert Totals(**saved) == totals
