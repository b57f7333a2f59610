"""Sample sizes."""

from __future__ import annotations

import math

import pytest
import scipy.stats

from rewardsmith.core.errors import SettingsError
from rewardsmith.numerics.power import pairs_needed


def power_of(n: int, p: float, p0: float) -> float:
    """Sum over the counts that scipy's binomial test calls significant at 5%; such counts lie above the bar."""
    shows = (k for k in range(int(n * p0), n + 1) if scipy.stats.binomtest(k, n, p0, "greater").pvalue <= 0.05)
    return float(sum(scipy.stats.binom.pmf(k, n, p) for k in shows))


def test_about_four_hundred_pairs_show_85_percent_above_80():
    assert 370 <= pairs_needed(0.85, 0.8) <= 420


@pytest.mark.parametrize(("p", "p0"), [(0.85, 0.8), (0.6, 0.5), (0.99, 0.5), (0.53, 0.5)])
def test_the_answer_is_the_smallest_from_which_on_the_power_holds(p: float, p0: float):
    n = pairs_needed(p, p0)
    assert power_of(n - 1, p, p0) < 0.8
    assert all(power_of(n + more, p, p0) >= 0.8 for more in range(0, 200, 41))


def test_near_the_normal_approximation():
    # ((1.64485·√.25 + .84162·√(.53·.47)) / .03)² = 1,715; the exact test needs a little more.
    assert pairs_needed(0.53, 0.5) == pytest.approx(1715, rel=0.05)
    assert math.isclose(pairs_needed(0.53, 0.5, power=0.9), 2375, rel_tol=0.05)


@pytest.mark.parametrize(("p", "p0"), [(0.8, 0.8), (0.7, 0.8), (1.0, 0.8), (0.8, 0.0), (0.800001, 0.8)])
def test_impossible_questions_are_refused(p: float, p0: float):
    with pytest.raises(SettingsError):
        pairs_needed(p, p0)
