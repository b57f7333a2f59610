from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.errors import DataError
from rewardsmith.numerics.tournament import fitted_scores, win_shares

ALL = [(0, 1), (0, 2), (1, 2)]


def test_win_shares_by_hand():
    # 0 beats 1 and ties with 2; 1 loses to 2. Item 0: (1 + ½) / 2, item 1: 0, item 2: (½ + 1) / 2.
    found = win_shares(ALL, np.array([1.0, 0.5, 0.0]), items=3)
    np.testing.assert_allclose(found, [0.75, 0.0, 0.75])


def test_a_comparison_without_a_result_is_left_out():
    found = win_shares(ALL, np.array([1.0, np.nan, np.nan]), items=3)
    np.testing.assert_array_equal(found, [1.0, 0.0, np.nan])


def test_fitted_scores_by_hand():
    # m01 = 1, m02 = 3, m12 = 1 has no exact fit: r_i = Σ_j m_ij / 3, so (1+3)/3, (−1+1)/3, (−3−1)/3.
    found = fitted_scores(ALL, np.array([1.0, 3.0, 1.0]), items=3)
    np.testing.assert_allclose(found, [4 / 3, 0.0, -4 / 3], atol=1e-12)


def test_of_two_the_difference_is_the_log_odds():
    np.testing.assert_allclose(fitted_scores([(0, 1)], np.array([2.0]), items=2), [1.0, -1.0])


def test_an_item_without_a_comparison_has_no_score():
    found = fitted_scores(ALL, np.array([2.0, np.nan, np.nan]), items=3)
    np.testing.assert_allclose(found, [1.0, -1.0, np.nan], atol=1e-12)
    assert np.isnan(fitted_scores([], np.empty(0), items=2)).all()


@given(st.lists(st.floats(-20, 20), min_size=3, max_size=7))
def test_log_odds_that_fit_are_found_again_even_in_a_ring(scores: list[float]):
    n = len(scores)
    ring = [(place, (place + 1) % n) for place in range(n)]
    log_odds = np.array([scores[i] - scores[j] for i, j in ring])
    found = fitted_scores(ring, log_odds, items=n)
    np.testing.assert_allclose(found, np.array(scores) - np.mean(scores), atol=1e-8)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=3, max_size=3))
def test_swapping_the_sides_turns_everything_round(credits: list[float]):
    one = np.array(credits)
    np.testing.assert_allclose(win_shares(ALL, one, items=3) + win_shares(ALL, 1 - one, items=3), np.ones(3))
    np.testing.assert_allclose(fitted_scores(ALL, one, items=3), -fitted_scores(ALL, -one, items=3), atol=1e-12)


@pytest.mark.parametrize(
    ("pairs", "credits"), [([(0, 0)], [1.0]), ([(0, 2)], [1.0]), ([(0, 1)], [2.0]), ([(0, 1)], [])]
)
def test_what_is_no_comparison_is_refused(pairs: list[tuple[int, int]], credits: list[float]):
    with pytest.raises(DataError):
        win_shares(pairs, np.array(credits, dtype=np.float64), items=2)
