"""Rows end to end, under a budget."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.batching.packing import fill, filler, pack
from rewardsmith.batching.prefixes import NO_PARENT, separate, shared
from rewardsmith.core.errors import SettingsError


def test_two_rows_by_hand():
    first = shared([np.array([7, 8, 1]), np.array([7, 8, 2])], worth_sharing=2)
    second = separate([np.array([9, 9])])
    packed = pack([first, second])
    assert packed.input_ids.tolist() == [7, 8, 1, 2, 9, 9]
    assert packed.position_ids.tolist() == [0, 1, 2, 2, 0, 1]
    assert packed.segments.tolist() == [[0, 2, NO_PARENT], [2, 3, 0], [3, 4, 0], [4, 6, NO_PARENT]]
    assert packed.ends.tolist() == [2, 3, 5]


def test_parents_stay_in_their_row():
    row = shared([np.array([7, 8, 1]), np.array([7, 8, 2])], worth_sharing=2)
    packed = pack([row, row])
    assert packed.segments[:, 2].tolist() == [NO_PARENT, 0, 0, NO_PARENT, 3, 3]
    assert packed.ends.tolist() == [2, 3, 6, 7]


def test_a_filler_ends_no_sequence_and_begins_anew():
    packed = pack([separate([np.array([7, 8])]), filler(3)])
    assert packed.input_ids.tolist() == [7, 8, 0, 0, 0]
    assert packed.position_ids.tolist() == [0, 1, 0, 1, 2]
    assert packed.segments.tolist() == [[0, 2, NO_PARENT], [2, 5, NO_PARENT]]
    assert packed.ends.tolist() == [1]


@given(st.lists(st.integers(1, 30), max_size=40), st.integers(1, 40))
def test_each_item_once_and_no_budget_broken(sizes, max_tokens):
    bins = fill(sizes, max_tokens=max_tokens)
    assert sorted(index for each in bins for index in each) == list(range(len(sizes)))
    for each in bins:
        assert sum(sizes[index] for index in each) <= max_tokens or len(each) == 1


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.randoms())
def test_the_number_of_bins_does_not_depend_on_the_order(sizes, dice):
    shuffled = list(sizes)
    dice.shuffle(shuffled)
    loads = [sorted(sum(of[i] for i in each) for each in fill(of, max_tokens=40)) for of in (sizes, shuffled)]
    assert loads[0] == loads[1]


@given(st.lists(st.integers(1, 10), min_size=1, max_size=40))
def test_no_two_bins_could_be_one(sizes):
    loads = sorted(sum(sizes[index] for index in each) for each in fill(sizes, max_tokens=10))
    assert len(loads) < 2 or loads[0] + loads[1] > 10


def test_first_fit_decreasing_by_hand():
    # 6 | 5 → bin of 6 has room 4, so 5 opens the second; 4 fits the first, 3 the second, 2 the second.
    assert fill([2, 6, 3, 5, 4], max_tokens=10) == [[1, 4], [0, 2, 3]]


def test_a_budget_below_one_is_an_error():
    with pytest.raises(SettingsError, match="below one"):
        fill([1], max_tokens=0)
