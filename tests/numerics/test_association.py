"""Correlations against scipy, regression residuals and hand values."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from jaxtyping import TypeCheckError

from rewardsmith.core.errors import DataError
from rewardsmith.numerics.association import center_by_group, partial_correlation, pearson, spearman
from rewardsmith.numerics.intervals import group_bootstrap


def sample(n: int = 211, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return x, 0.6 * x + rng.normal(size=n), rng.integers(0, n // 3, n)


def test_hand_values():
    x, y = np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])
    # Deviations (−1, 0, 1) and (−1, 1, 0): 1 / √(2·2).
    assert pearson(x, y, [0, 1, 2]).value == pytest.approx(0.5)
    assert spearman(x, y**3, [0, 1, 2]).value == pytest.approx(0.5)
    assert pearson(x, -y, [0, 1, 2]).value == pytest.approx(-0.5)


def test_values_equal_scipys():
    x, y, groups = sample()
    assert pearson(x, y, groups).value == pytest.approx(scipy.stats.pearsonr(x, y).statistic)
    coarse_x, coarse_y = np.round(x), np.round(2 * y)
    assert spearman(coarse_x, coarse_y, groups).value == pytest.approx(
        scipy.stats.spearmanr(coarse_x, coarse_y).statistic
    )


@pytest.mark.parametrize("coarse", [False, True])
def test_vectorised_draws_equal_drawing_the_items(coarse: bool):
    x, y, groups = sample(97)
    x, y = (np.round(x), np.round(y)) if coarse else (x, y)
    table = np.column_stack([x, y])
    pairs = (
        (pearson, lambda rows: float(np.corrcoef(rows.T)[0, 1])),
        (spearman, lambda rows: float(scipy.stats.spearmanr(rows[:, 0], rows[:, 1]).statistic)),
    )
    for fast, called in pairs:
        slow = group_bootstrap(table, groups, statistic=called, draws=200, seed=3)
        quick = fast(x, y, groups, draws=200, seed=3)
        assert (quick.value, quick.low, quick.high) == pytest.approx((slow.value, slow.low, slow.high), abs=1e-9)


def test_partial_correlation_equals_that_of_residuals():
    rng = np.random.default_rng(4)
    controls = rng.normal(size=(157, 2))
    x = controls @ [1.0, -0.5] + rng.normal(size=157)
    y = controls @ [2.0, 0.5] + 0.3 * x + rng.normal(size=157)
    design = np.column_stack([np.ones(157), controls])
    left = [column - design @ np.linalg.lstsq(design, column, rcond=None)[0] for column in (x, y)]
    estimate = partial_correlation(x, y, controls, np.arange(157), draws=200)
    assert estimate.value == pytest.approx(scipy.stats.pearsonr(*left).statistic)
    assert estimate.low < estimate.value < estimate.high


def test_a_common_cause_is_taken_out():
    rng = np.random.default_rng(6)
    cause = rng.normal(size=2003)
    x, y = cause + 0.5 * rng.normal(size=2003), cause + 0.5 * rng.normal(size=2003)
    assert pearson(x, y, np.arange(2003)).value > 0.7
    estimate = partial_correlation(x, y, cause[:, None], np.arange(2003))
    assert estimate.low < 0 < estimate.high


def test_controls_that_repeat_each_other_do_no_harm():
    x, y, groups = sample()
    control = np.random.default_rng(1).normal(size=len(x))
    once = partial_correlation(x, y, control[:, None], groups)
    twice = partial_correlation(x, y, np.column_stack([control, 2 * control]), groups)
    assert twice.value == pytest.approx(once.value)


def test_scale_and_offset_change_nothing():
    x, y, groups = sample()
    here = pearson(x, y, groups, draws=100)
    there = pearson(1e-3 * x + 1e6, 1e5 * y - 1e8, groups, draws=100)
    assert (there.value, there.low, there.high) == pytest.approx((here.value, here.low, here.high), abs=1e-4)


def test_no_variation_is_not_a_number():
    for correlate in (pearson, spearman):
        estimate = correlate(np.ones(5), np.arange(5.0), np.arange(5))
        assert math.isnan(estimate.value)
        assert math.isnan(estimate.low)
        assert estimate.n == 5


def test_degenerate_and_bad_input():
    for correlate in (pearson, spearman):
        assert correlate(np.empty(0), np.empty(0), []).n == 0
        alone = correlate(np.arange(3.0), np.arange(3.0), ["a"] * 3)
        assert alone.value == pytest.approx(1)
        assert math.isnan(alone.low)
        with pytest.raises(DataError, match="item 2"):
            correlate(np.array([0.0, 1.0, math.nan]), np.arange(3.0), np.arange(3))
        with pytest.raises((DataError, TypeCheckError)):
            correlate(np.arange(3.0), np.arange(2.0), np.arange(3))


def test_centring_takes_out_what_a_prompt_adds():
    rng = np.random.default_rng(0)
    values, groups = rng.normal(size=30), rng.integers(0, 7, 30)
    offsets = rng.normal(0, 100, 7)[groups]
    np.testing.assert_allclose(center_by_group(values + offsets, groups), center_by_group(values, groups), atol=1e-9)
    assert center_by_group(np.array([1.0, 3.0, 5.0]), ["a", "a", "b"]).tolist() == [-1.0, 1.0, 0.0]
