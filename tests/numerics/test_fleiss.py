"""Fleiss' κ: by hand, against statsmodels, and what must not change it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import fleiss_kappa as reference

from rewardsmith.core.errors import DataError
from rewardsmith.numerics.fleiss import fleiss_kappa, label_counts, opposite_columns

TABLES = st.integers(2, 5).flatmap(
    lambda raters: st.lists(st.lists(st.integers(0, 2), min_size=raters, max_size=raters), min_size=2, max_size=12)
)


def test_by_hand():
    # Two items of three votes: aab and bbb. P of the items: 2·1 / (3·2) = 1/3 and 1, mean 2/3.
    # a has 2 of 6 votes: P_e = (1/3)² + (2/3)² = 5/9. κ = (2/3 − 5/9) / (4/9) = 1/4.
    assert fleiss_kappa(np.array([[2, 1], [0, 3]])).value == pytest.approx(0.25)


def test_raters_may_be_fewer_on_some_items():
    # Items aa, ab, aab and one vote alone, which says nothing. P: 1, 0, 1/3, mean 4/9. a has 5 of 7 votes:
    # P_e = (25 + 4) / 49. κ = (4/9 − 29/49) / (20/49) = ((196 − 261) / 441) · 49/20 = −65/180.
    counts = np.array([[2, 0], [1, 1], [2, 1], [1, 0]])

    estimate = fleiss_kappa(counts)

    assert estimate.value == pytest.approx(-65 / 180)
    assert (estimate.n, estimate.groups) == (3, 3)


@settings(max_examples=60, deadline=None)
@given(TABLES)
def test_is_statsmodels_where_all_items_have_as_many_votes(votes: list[list[int]]):
    counts = np.array([[row.count(label) for label in range(3)] for row in votes])
    if (counts.sum(axis=0) > 0).sum() < 2:
        return
    assert fleiss_kappa(counts, draws=0).value == pytest.approx(reference(counts), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(TABLES, st.data())
def test_which_side_is_called_first_does_not_matter(votes: list[list[int]], data: st.DataObject):
    counts = np.array([[row.count(label) for label in range(3)] for row in votes])
    swapped = counts.copy()
    rows = data.draw(st.lists(st.sampled_from(range(len(counts))), unique=True))
    swapped[rows] = swapped[rows][:, [1, 0, 2]]

    one, other = (fleiss_kappa(each, opposite=[1, 0, 2], draws=0).value for each in (counts, swapped))
    # Both orders of every item, counted by statsmodels.
    doubled = reference(np.concatenate([counts, counts[:, [1, 0, 2]]]))

    assert one == pytest.approx(other, nan_ok=True)
    if not math.isnan(one):
        assert one == pytest.approx(doubled, abs=1e-9)


def test_an_interval_draws_groups_and_holds_the_value():
    rng = np.random.default_rng(0)
    counts = np.array([[3, 0], [0, 3], [2, 1], [1, 2]])[rng.integers(0, 4, size=101)]

    by_item = fleiss_kappa(counts, seed=1)
    by_group = fleiss_kappa(counts, np.arange(101) // 10, seed=1)

    assert by_item.low < by_item.value < by_item.high
    assert by_group.value == pytest.approx(by_item.value)
    assert (by_item.groups, by_group.groups) == (101, 11)


@pytest.mark.parametrize("counts", [[[1, 0]], [[2, 0], [3, 0]], []])
def test_nothing_to_go_wrong_is_not_a_number(counts: list[list[int]]):
    assert math.isnan(fleiss_kappa(np.array(counts, dtype=np.int64).reshape(-1, 2)).value)


def test_labels_are_counted_in_their_order():
    labels = [["tie", "first"], ["second"], []]

    assert label_counts(labels, labels=["first", "second", "tie"]).tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]
    assert label_counts([["b", "a", "b"]]).tolist() == [[1, 2]]
    assert opposite_columns(["first", "tie", "second"], {"first": "second", "second": "first"}) == [2, 1, 0]


def test_what_is_no_count_is_refused():
    with pytest.raises(DataError, match="negative count"):
        fleiss_kappa(np.array([[2, -1]]))
    with pytest.raises(DataError, match="groups differ"):
        fleiss_kappa(np.array([[2, 1]]), ["a", "b"])
    with pytest.raises(DataError, match="unknown label"):
        label_counts([["no"]], labels=["yes"])
