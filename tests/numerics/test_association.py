"""The rank correlation against scipy and hand values."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from rewardsmith.core.errors import DataError
from rewardsmith.numerics.association import spearman
from rewardsmith.numerics.intervals import group_bootstrap


def sample(n: int = 211, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return x, 0.6 * x + rng.normal(size=n), rng.integers(0, n // 3, n)


def test_hand_values():
    x, y = np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])
    # Ranks deviate by (−1, 0, 1) and (−1, 1, 0): 1 / √(2·2).
    assert spearman(x, y**3, [0, 1, 2]).value == pytest.approx(0.5)
    assert spearman(x, -y, [0, 1, 2]).value == pytest.approx(-0.5)


def test_values_equal_scipys():
    x, y, groups = sample()
    coarse_x, coarse_y = np.round(x), np.round(2 * y)
    assert spearman(coarse_x, coarse_y, groups).value == pytest.approx(
        scipy.stats.spearmanr(coarse_x, coarse_y).statistic
    )


@pytest.mark.parametrize("coarse", [False, True])
def test_vectorised_draws_equal_drawing_the_items(coarse: bool):
    x, y, groups = sample(97)
    x, y = (np.round(x), np.round(y)) if coarse else (x, y)
    table = np.column_stack([x, y])

    def scipys(rows: np.ndarray) -> float:
        return float(scipy.stats.spearmanr(rows[:, 0], rows[:, 1]).statistic)

    slow = group_bootstrap(table, groups, statistic=scipys, draws=200, seed=3)
    quick = spearman(x, y, groups, draws=200, seed=3)
    assert (quick.value, quick.low, quick.high) == pytest.approx((slow.value, slow.low, slow.high), abs=1e-9)


def test_no_variation_is_not_a_number():
    estimate = spearman(np.ones(5), np.arange(5.0), np.arange(5))
    assert math.isnan(estimate.value)
    assert math.isnan(estimate.low)
    assert estimate.n == 5


@given(st.floats(0.1, 1e3), st.floats(-1e3, 1e3))
def test_scale_and_offset_change_nothing(scale: float, offset: float):
    x, y, groups = sample(31)
    assert spearman(scale * x + offset, y, groups, draws=20) == spearman(x, y, groups, draws=20)


def test_degenerate_and_bad_input():
    assert spearman(np.empty(0), np.empty(0), []).n == 0
    alone = spearman(np.arange(3.0), np.arange(3.0), ["a"] * 3)
    assert alone.value == pytest.approx(1)
    assert math.isnan(alone.low)
    with pytest.raises(DataError, match="item 2"):
        spearman(np.array([0.0, 1.0, math.nan]), np.arange(3.0), np.arange(3))
    with pytest.raises((DataError, TypeCheckError)):
        spearman(np.arange(3.0), np.arange(2.0), np.arange(3))
