"""An uncertainty against what was wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from rewardsmith.core.errors import DataError
from rewardsmith.numerics.abstention import abstention, auroc, auroc_estimate


def test_auroc_by_hand():
    # Wrong: 3 and 1. Right: 2, 0. Pairs (wrong, right): 3>2, 3>0, 1<2, 1>0: three of four.
    uncertainty, wrong = np.array([3.0, 2.0, 1.0, 0.0]), np.array([True, False, True, False])
    assert auroc(uncertainty, wrong) == 0.75
    assert auroc(-uncertainty, wrong) == 0.25
    assert auroc(np.zeros(4), wrong) == 0.5
    # One tie of four comparisons counts half: 3>2, 3>0, 2=2, 2>0.
    assert auroc(np.array([3.0, 2.0, 2.0, 0.0]), wrong) == pytest.approx(3.5 / 4)


def test_where_nothing_is_wrong_there_is_no_auroc():
    assert np.isnan(auroc(np.array([1.0, 2.0]), np.array([False, False])))
    assert np.isnan(auroc(np.array([1.0, 2.0]), np.array([True, True])))


@given(st.integers(0, 10_000), st.integers(2, 40))
def test_auroc_is_that_of_sklearn(seed, size):
    rng = np.random.default_rng(seed)
    uncertainty, wrong = rng.integers(0, 6, size).astype(np.float64), rng.random(size) < 0.4
    wrong[:2] = [True, False]
    assert auroc(uncertainty, wrong) == pytest.approx(roc_auc_score(wrong, uncertainty))
    # Only the order matters.
    assert auroc(np.exp(uncertainty), wrong) == pytest.approx(auroc(uncertainty, wrong))


def test_the_curve_by_hand():
    # Surest first: right, wrong, right, wrong. Risks 0, 1/2, 1/3, 1/2, of which the mean is 1/3.
    curve = abstention(np.array([0.1, 0.2, 0.3, 0.4]), np.array([False, True, False, True]))

    assert curve.coverages == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert curve.risks == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    assert curve.area == pytest.approx(1 / 3)
    assert curve.random_area == 0.5
    # Right, right, wrong, wrong: 0, 0, 1/3, 1/2.
    assert curve.best_area == pytest.approx((1 / 3 + 1 / 2) / 4)
    assert curve.risk_at(0.75) == pytest.approx(1 / 3)
    assert curve.risk_at(0.6) == pytest.approx(1 / 3)
    assert curve.risk_at(1.0) == 0.5


def test_an_uncertainty_that_is_always_the_same_is_a_lot():
    curve = abstention(np.ones(5), np.array([True, False, False, True, False]))
    assert curve.risks == pytest.approx(np.full(5, 0.4))
    assert curve.area == pytest.approx(curve.random_area)


@given(st.integers(0, 10_000))
def test_no_order_is_better_than_the_best_and_the_items_order_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    uncertainty, wrong = rng.integers(0, 5, 23).astype(np.float64), rng.random(23) < 0.3
    curve, order = abstention(uncertainty, wrong), rng.permutation(23)
    assert curve.best_area <= curve.area + 1e-12
    assert abstention(uncertainty[order], wrong[order]).risks == pytest.approx(curve.risks)
    assert curve.risks[-1] == pytest.approx(wrong.mean())


def test_the_interval_holds_the_value_and_widens_with_fewer_prompts():
    rng = np.random.default_rng(0)
    wrong = rng.random(400) < 0.3
    uncertainty = rng.normal(size=400) + wrong
    many = auroc_estimate(uncertainty, wrong, np.arange(400), draws=300)
    few = auroc_estimate(uncertainty, wrong, np.arange(400) // 20, draws=300)

    assert many.value == auroc(uncertainty, wrong)
    assert 0.5 < many.low < many.value < many.high
    assert (many.n, many.groups, few.groups) == (400, 400, 20)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(DataError, match="differ in number; wanted 2; got 1"):
        auroc(np.zeros(2), np.array([True]))
    with pytest.raises(DataError, match="not a finite uncertainty"):
        abstention(np.array([np.nan]), np.array([True]))
    with pytest.raises(DataError, match="nothing to abstain from"):
        abstention(np.zeros(0), np.zeros(0, bool))
