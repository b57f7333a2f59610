from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_1samp
from statsmodels.stats.multitest import multipletests

from rewardsmith.core.errors import DataError
from rewardsmith.core.finding import Estimate
from rewardsmith.numerics.testing import holm, interval_p_value, mean_p_value, outside_p_value

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30).map(np.array)


def test_holm_by_hand():
    # Ascending: .01·4 = .04; .02·3 = .06; .03·2 = .06; .04·1 = .04 → at least the one before: .06.
    assert holm(np.array([0.04, 0.01, 0.03, 0.02])) == pytest.approx([0.06, 0.04, 0.06, 0.06])


def test_holm_of_one_is_itself_and_of_none_is_none():
    assert holm(np.array([0.03])).tolist() == [0.03]
    assert holm(np.array([])).tolist() == []


def test_holm_stops_at_one():
    assert holm(np.array([0.6, 0.7])).tolist() == [1.0, 1.0]


# A call of theirs takes 50 ms.
@settings(max_examples=20)
@given(P_VALUES)
def test_holm_is_that_of_statsmodels(p_values: np.ndarray):
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-12)


@given(P_VALUES, st.randoms(use_true_random=False))
def test_holm_goes_with_the_test_and_not_with_its_place(p_values: np.ndarray, random):
    order = list(range(len(p_values)))
    random.shuffle(order)
    assert holm(p_values[order]) == pytest.approx(holm(p_values)[order])


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_what_is_no_p_value_is_refused(value: float):
    with pytest.raises(DataError, match="test 1"):
        holm(np.array([0.5, value]))


def test_the_mean_by_hand():
    # Means 1, 2, 3: mean 2, SD 1, error 1/√3, t = 2√3 = 3.4641 with 2 degrees of freedom.
    # For 2 degrees of freedom the upper tail is ½ − t/(2√(2 + t²)) = ½ − 3.4641/(2·3.7417) = .03709.
    values, groups = np.array([1.0, 2.0, 3.0]), ["a", "b", "c"]
    assert mean_p_value(values, groups, null=0, alternative="greater") == pytest.approx(0.03709, abs=1e-5)
    assert mean_p_value(values, groups, null=0, alternative="less") == pytest.approx(1 - 0.03709, abs=1e-5)
    assert mean_p_value(values, groups, null=0, alternative="two-sided") == pytest.approx(2 * 0.03709, abs=1e-5)
    assert mean_p_value(values, groups, null=2, alternative="greater") == pytest.approx(0.5)


def test_outside_by_hand():
    # Mean 2, standard error 1/√3: t = (2 − 1)/.577 = 1.732 above a margin of 1, and the tail of t with 2 degrees of
    # freedom is ½ − t/(2√(2 + t²)) = .1127 there; twice that.
    assert outside_p_value(np.array([1.0, 2.0, 3.0]), ["a", "b", "c"], margin=1.0) == pytest.approx(0.2254, abs=1e-4)
    assert outside_p_value(np.array([-1.0, -2.0, -3.0]), ["a", "b", "c"], margin=1.0) == pytest.approx(0.2254, abs=1e-4)
    assert outside_p_value(np.array([-0.1, 0.2, 0.1]), ["a", "b", "c"], margin=1.0) == 1.0


def test_outside_nothing_is_the_two_sided_test():
    values = np.random.default_rng(1).normal(0.3, 1, 30)
    two_sided = mean_p_value(values, range(30), null=0.0, alternative="two-sided")
    assert outside_p_value(values, range(30), margin=0.0) == pytest.approx(two_sided)


def test_a_group_counts_once_however_many_items_it_has():
    # Group a has the mean 1 of three items.
    values, groups = np.array([0.0, 1.0, 2.0, 2.0, 3.0]), ["a", "a", "a", "b", "c"]
    expected = ttest_1samp([1.0, 2.0, 3.0], 0, alternative="greater").pvalue
    assert mean_p_value(values, groups, null=0, alternative="greater") == pytest.approx(expected)


def test_without_spread_the_side_decides():
    values, groups = np.full(3, 0.1), ["a", "b", "c"]
    assert mean_p_value(values, groups, null=0, alternative="greater") == 0
    assert mean_p_value(values, groups, null=0, alternative="less") == 1
    assert mean_p_value(values * 0, groups, null=0, alternative="two-sided") == 1


def test_one_group_shows_nothing():
    assert mean_p_value(np.array([5.0, 6.0]), ["a", "a"], null=0, alternative="greater") == 1


def test_an_interval_that_ends_at_the_null_has_a_p_of_a_fortieth():
    estimate = Estimate(0.6, 0.5, 0.75, 10_000, 10_000)
    assert interval_p_value(estimate, null=0.5, alternative="greater") == pytest.approx(0.025, abs=1e-4)
    assert interval_p_value(estimate, null=0.75, alternative="less") == pytest.approx(0.025, abs=1e-4)
    assert interval_p_value(estimate, null=0.5, alternative="two-sided") == pytest.approx(0.05, abs=1e-4)
    assert interval_p_value(estimate, null=0.5, alternative="less") == pytest.approx(0.975, abs=1e-4)


def test_without_an_interval_nothing_is_shown():
    nan = float("nan")
    assert interval_p_value(Estimate(0.9, nan, nan, 5, 1), null=0.5, alternative="greater") == 1
    assert interval_p_value(Estimate(nan, nan, nan, 0, 0), null=0.5, alternative="greater") == 1
    assert interval_p_value(Estimate(0.9, 0.9, 0.9, 5, 5), null=0.5, alternative="greater") == 0


def test_few_groups_need_more():
    few, many = (Estimate(0.6, 0.5, 0.7, groups, groups) for groups in (5, 500))
    assert interval_p_value(few, null=0.5, alternative="greater") > 0.05
    assert interval_p_value(many, null=0.5, alternative="greater") < 0.03


@pytest.mark.parametrize("alternative", ["greater", "two-sided"])
def test_where_nothing_is_there_one_in_twenty_is_below_five_percent(alternative):
    rng = np.random.default_rng(5)
    p_values = [mean_p_value(rng.normal(size=40), np.arange(40), null=0, alternative=alternative) for _ in range(2000)]
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.015)
