from __future__ import annotations

from math import sqrt

import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from rewardsmith.core.finding import Estimate
from rewardsmith.numerics.difference import independent_difference
from rewardsmith.numerics.intervals import wilson


def test_by_hand():
    found = independent_difference(Estimate(0.8, 0.7, 0.85, 10, 9), Estimate(0.5, 0.46, 0.62, 20, 19))
    assert found.value == pytest.approx(0.3)
    assert found.low == pytest.approx(0.3 - sqrt(0.1**2 + 0.12**2))
    assert found.high == pytest.approx(0.3 + sqrt(0.05**2 + 0.04**2))
    assert (found.n, found.groups) == (30, 28)


def test_of_wilson_intervals_it_is_newcombes():
    found = independent_difference(wilson(56, 70), wilson(48, 80))
    low, high = confint_proportions_2indep(56, 70, 48, 80, method="newcomb", compare="diff")
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_swapping_the_two_turns_the_sign():
    one, other = wilson(30, 40), wilson(10, 40)
    there, back = independent_difference(one, other), independent_difference(other, one)
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))
