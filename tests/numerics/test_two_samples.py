from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp, kstwobign

from rewardsmith.core.errors import DataError
from rewardsmith.numerics.two_samples import ks_critical, ks_distance

values = st.lists(st.floats(-5, 5).map(lambda value: round(value, 1)), min_size=1, max_size=40)


def test_by_hand():
    """At 1 two of the first three are below or equal, and none of the other two; at 2 it is 3/3 and 1/2."""
    assert ks_distance(np.array([0.0, 1.0, 2.0]), np.array([2.0, 3.0])) == pytest.approx(2 / 3)


def test_limits():
    one = np.array([1.0, 2.0])
    assert ks_distance(one, one) == 0
    assert ks_distance(one, one + 10) == 1


@given(one=values, other=values)
def test_as_scipy_has_it_ties_included(one, other):
    ours = ks_distance(np.array(one), np.array(other))
    assert ours == pytest.approx(ks_2samp(one, other, method="asymp").statistic)
    assert ours == pytest.approx(ks_distance(np.array(other), np.array(one)))


@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_the_critical_distance_is_that_of_the_limiting_distribution(alpha):
    """√(nm/(n+m))·D → Kolmogorov's distribution; the one-term formula is within a per cent of it in its tail."""
    n, m = 400, 250
    with np.errstate(divide="ignore"):
        exact = kstwobign.isf(alpha)
    scaled = ks_critical(n, m, alpha=alpha) * np.sqrt(n * m / (n + m))
    assert scaled == pytest.approx(exact, rel=0.01)


def test_so_much_is_rarely_found_by_accident():
    rng = np.random.default_rng(0)
    limit = ks_critical(300, 200, alpha=0.05)
    found = [ks_distance(rng.normal(size=300), rng.normal(size=200)) > limit for _ in range(400)]
    assert 0.01 < np.mean(found) < 0.08


@pytest.mark.parametrize("wrong", [[], [float("nan")]])
def test_no_sample_is_refused(wrong):
    with pytest.raises(DataError):
        ks_distance(np.array(wrong, dtype=float), np.array([1.0]))
