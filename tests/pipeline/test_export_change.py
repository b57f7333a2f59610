from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.pipeline.plain_pairs import preferences

from rewardsmith.audit.observations import Rewards, distinct_conversations
from rewardsmith.core.preference import Preference
from rewardsmith.core.scores import Provenance
from rewardsmith.pipeline.export_change import change_of

HERE = Provenance("model", "template")


def rewards(some: list[Preference], values: list[float]) -> Rewards:
    return Rewards(dict(zip(distinct_conversations(some), values, strict=True)), HERE)


def test_by_hand():
    some = preferences(4)
    # Chosen and rejected of each pair. Before: right, wrong, right, a tie; after: right, right, wrong, a tie.
    before = rewards(some, [1, -1, -1, 1, 1, -1, 0, 0])
    after = rewards(some, [1, -1, 1, 0.5, -1, 0, 0, 0])

    change = change_of(some, before, after)

    # Six rewards of ±1 and two of 0: variance 6/8. Differences: 2, .5 in the second pair, 2, 1 in the third, else 0.
    spread = (6 / 8) ** 0.5
    assert change.reward_sd == pytest.approx(spread)
    assert change.max_error_sd == pytest.approx(2 / spread)
    assert change.mean_error_sd == pytest.approx(5.5 / 8 / spread)
    assert change.flips.value == 2 / 4
    assert change.flips.n == 4
    # Right, wrong, right, half; then right, right, wrong, half.
    assert change.accuracy_before.value == pytest.approx(2.5 / 4)
    assert change.accuracy_after.value == pytest.approx(2.5 / 4)
    assert change.accuracy_change.value == 0
    assert (change.conversations, change.unscored) == (8, 0)


def test_accuracy_is_lost_where_right_pairs_turn_wrong():
    some = preferences(2)

    change = change_of(some, rewards(some, [1, 0, 1, 0]), rewards(some, [1, 0, 0, 1]))

    assert change.accuracy_change.value == -0.5
    assert change.flips.value == 0.5


def test_a_tie_that_is_broken_is_a_flip():
    some = preferences(2)

    assert change_of(some, rewards(some, [0, 0, 1, 0]), rewards(some, [0.1, 0, 1, 0])).flips.value == 0.5
    assert change_of(some, rewards(some, [1, 0, 1, 0]), rewards(some, [0, 0, 1, 0])).flips.value == 0.5


def test_a_reward_that_is_not_finite_is_counted_and_left_out():
    some = preferences(3)

    change = change_of(some, rewards(some, [1, 0, 2, 0, 3, 0]), rewards(some, [1, float("nan"), 2, 0, 3, 0]))

    assert change.unscored == 1
    assert change.flips.n == 2
    assert change.flips.value == 0
    assert np.isfinite(change.mean_error_sd)


@given(scale=st.floats(0.01, 100), shift=st.floats(-10, 10), values=st.lists(st.floats(-3, 3), min_size=8, max_size=8))
@settings(max_examples=30, deadline=None)
def test_the_units_of_the_reward_do_not_matter(scale: float, shift: float, values: list[float]):
    some = preferences(4)
    before = [0.3, -1.0, 2.0, 0.1, -0.7, 0.9, 1.5, 1.2]
    plain = change_of(some, rewards(some, before), rewards(some, values))

    moved = change_of(
        some, rewards(some, [scale * x + shift for x in before]), rewards(some, [scale * x + shift for x in values])
    )

    assert moved.max_error_sd == pytest.approx(plain.max_error_sd, rel=1e-5, abs=1e-6)
    assert moved.mean_error_sd == pytest.approx(plain.mean_error_sd, rel=1e-5, abs=1e-6)
