"""A group's side is its own: it doesn't move when data are added."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.errors import DataError
from rewardsmith.preferences.keys import group_hash
from rewardsmith.preferences.split import heldout_mask, require_both_sides

GROUPS = st.lists(st.text(max_size=8), unique=True, max_size=40)


def sides(groups: list[str], share: float, salt: str = "s") -> dict[str, bool]:
    hashes = np.array([group_hash(group, salt) for group in groups], np.uint64)
    return dict(zip(groups, heldout_mask(hashes, share).tolist(), strict=True))


@given(GROUPS, GROUPS, st.floats(0.01, 0.99))
def test_added_groups_move_no_other(groups, added, share):
    before, after = sides(groups, share), sides([*groups, *added], share)
    assert all(after[group] == side for group, side in before.items())
    assert all((group_hash(group, "s") < share * 2**64) == side for group, side in after.items())


@given(GROUPS, st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_a_larger_share_only_adds_to_the_heldout_side(groups, one, other):
    small, large = sorted((one, other))
    fewer, more = sides(groups, small), sides(groups, large)
    assert all(more[group] for group, side in fewer.items() if side)


def test_the_share_is_met_and_the_salt_matters():
    names = [f"group {number}" for number in range(10_007)]
    # Standard deviation of a binomial share: √(.2 · .8 / 10007) = .004.
    assert np.mean(list(sides(names, 0.2).values())) == pytest.approx(0.2, abs=0.016)
    assert sides(names, 0.2, "s") != sides(names, 0.2, "t")
    # 2^64 · share, not above: the hash 0 is held out, the largest is not.
    assert heldout_mask(np.array([0, 2**64 - 1], np.uint64), 0.5).tolist() == [True, False]


def test_one_side_alone_is_refused():
    groups = np.array([1, 1, 2], np.uint64)
    with pytest.raises(DataError, match=r"training side.*2 prompt groups.*too few groups"):
        require_both_sides(np.zeros(3, bool), groups, share=0.1)
    with pytest.raises(DataError, match="held-out side"):
        require_both_sides(np.ones(3, bool), groups, share=0.1)
    with pytest.raises(DataError, match="no preference is left"):
        require_both_sides(np.zeros(0, bool), groups[:0], share=0.1)
    require_both_sides(np.array([True, False, False]), groups, share=0.1)
