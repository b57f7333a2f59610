"""Rankings, ratings, sides → pairs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.preference import Pair
from rewardsmith.preferences.comparisons import from_ranks, from_ratings, from_sides

RATINGS = st.lists(st.integers(-3, 3).map(float), min_size=2, max_size=7)


def test_higher_ratings_win_and_equal_ones_form_no_pair() -> None:
    # 3 vs 5, 3 vs 3 (nothing), 5 vs 3.
    assert from_ratings([3.0, 5.0, 3.0]) == (Pair(1, 0, margin=2.0), Pair(1, 2, margin=2.0))


def test_the_gap_must_be_reached() -> None:
    assert from_ratings([1.0, 2.0, 4.0], min_gap=2.0) == (Pair(2, 0, margin=3.0), Pair(2, 1, margin=2.0))
    # .9 - .6 is .30000000000000004 the one way and .29999999999999993 from 1.9 and 1.6.
    assert len(from_ratings([1.9, 1.6], min_gap=0.3)) == 1
    assert from_ratings([1.0, 1.0], min_gap=0.0) == ()


def test_lower_ranks_win_and_equal_ones_tie() -> None:
    assert from_ranks([2, 1, 2]) == (
        Pair(1, 0),
        Pair(0, 2, prob_chosen=0.5, tie=True),
        Pair(1, 2),
    )


def test_every_good_one_beats_every_bad_one() -> None:
    assert from_sides([0, 1], [2, 3, 4]) == tuple(Pair(i, j) for i in (0, 1) for j in (2, 3, 4))


@given(RATINGS)
def test_negated_ratings_turn_every_pair_round(ratings: list[float]) -> None:
    turned = {(pair.rejected, pair.chosen, pair.margin) for pair in from_ratings([-value for value in ratings])}
    assert turned == {(pair.chosen, pair.rejected, pair.margin) for pair in from_ratings(ratings)}


@given(RATINGS)
def test_ranks_of_ratings_give_the_same_winners(ratings: list[float]) -> None:
    ranks = [sorted(ratings, reverse=True).index(value) for value in ratings]
    winners = {(pair.chosen, pair.rejected) for pair in from_ranks(ranks) if not pair.tie}
    assert winners == {(pair.chosen, pair.rejected) for pair in from_ratings(ratings)}
    assert len(from_ranks(ranks)) == len(ratings) * (len(ratings) - 1) // 2
