"""Ridge heads against the closed form, and their measure."""

from __future__ import annotations

import numpy as np
import pytest

from rewardsmith.core.errors import DataError
from rewardsmith.numerics.regression import fit_ridge, r_squared

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)) * np.array([1.0, 10.0, 0.1]) + np.array([0.0, 5.0, 1.0])
Y = X @ np.array([1.0, -0.1, 3.0]) + 2.0
GROUPS = np.arange(60) // 2


def test_a_head_is_the_closed_form_on_scaled_features():
    """(ZᵀZ + λ)⁻¹ Zᵀ(y − ȳ) with Z the features of mean 0 and variance 1."""
    z = (X - X.mean(axis=0)) / X.std(axis=0)
    wanted = np.linalg.solve(z.T @ z + 7.0 * np.eye(3), z.T @ (Y - Y.mean()))

    head = fit_ridge(X, Y, GROUPS, l2=[7.0])

    np.testing.assert_allclose(head(X), z @ wanted + Y.mean(), atol=1e-10)
    assert (head.l2, head.rows) == (7.0, 60)


def test_little_strength_finds_the_line_and_much_gives_the_mean():
    np.testing.assert_allclose(fit_ridge(X, Y, GROUPS, l2=[1e-9])(X), Y, atol=1e-6)
    np.testing.assert_allclose(fit_ridge(X, Y, GROUPS, l2=[1e12])(X), Y.mean(), atol=1e-6)


def test_cross_validation_takes_little_strength_for_a_line_and_much_for_noise():
    noise = np.random.default_rng(1).normal(size=60)

    assert fit_ridge(X, Y, GROUPS, l2=[1e-3, 1e5]).l2 == 1e-3
    assert fit_ridge(X, noise, GROUPS, l2=[1e-3, 1e5]).l2 == 1e5


def test_folds_never_divide_a_group():
    """Each group's target is its own random number and its features name it: only a divided group could be learnt."""
    rng = np.random.default_rng(2)
    names = np.repeat(np.arange(30), 4)
    x = np.eye(30)[names] + 0.01 * rng.normal(size=(120, 30))
    y = rng.normal(size=30)[names]

    assert fit_ridge(x, y, names, l2=[1e-3, 1e6]).l2 == 1e6
    assert fit_ridge(x, y, np.arange(120), l2=[1e-3, 1e6]).l2 == 1e-3


def test_missing_targets_are_left_out():
    y = np.where(np.arange(60) < 40, Y, np.nan)

    head = fit_ridge(X, y, GROUPS, l2=[1.0])

    np.testing.assert_allclose(head.weight, fit_ridge(X[:40], Y[:40], GROUPS[:40], l2=[1.0]).weight)
    assert head.rows == 40


def test_a_feature_that_never_varies_says_nothing():
    x = np.column_stack([X, np.full(60, 3.0)])

    head = fit_ridge(x, Y, GROUPS, l2=[1.0])

    assert head.weight[3] == 0
    assert np.isfinite(head.weight).all()


def test_too_little_is_refused():
    with pytest.raises(DataError, match="too little"):
        fit_ridge(X[:1], Y[:1], GROUPS[:1], l2=[1.0])
    with pytest.raises(DataError, match="too little"):
        fit_ridge(X, Y, np.zeros(60), l2=[1.0, 2.0])
    with pytest.raises(DataError, match="differ in number"):
        fit_ridge(X, Y, GROUPS[:5], l2=[1.0])


def test_r_squared_by_hand():
    """Errors 0, 1, 0, −1 over squares 1, 1, 4, 4: 1 − 2/10."""
    found = r_squared(np.array([1.0, 0.0, -2.0, 3.0]), np.array([1.0, 1.0, -2.0, 2.0]), [0, 1, 2, 3])

    assert found.value == pytest.approx(0.8)
    assert found.low < found.value < found.high <= 1
    assert (found.n, found.groups) == (4, 4)


def test_the_mean_explains_nothing_and_the_opposite_less():
    y = np.array([1.0, -1.0, 2.0])

    assert r_squared(np.zeros(3), y, [0, 1, 2]).value == 0
    assert r_squared(-y, y, [0, 1, 2]).value == -3
