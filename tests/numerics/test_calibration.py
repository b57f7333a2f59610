"""Calibration: temperature, reliability, ECE, squared errors, log losses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sklearn.linear_model
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from scipy.special import expit

from rewardsmith.core.errors import DataError
from rewardsmith.numerics.calibration import (
    expected_calibration_error,
    fit_temperature,
    log_losses,
    reliability,
    squared_errors,
)


def noisy_pairs(n: int, temperature: float, *, seed: int = 0) -> np.ndarray:
    """Margins in label order whose labels were drawn from σ(Δ / temperature)."""
    rng = np.random.default_rng(seed)
    margins = rng.normal(0, 2, n)
    first_wins = rng.random(n) < expit(margins / temperature)
    return np.where(first_wins, margins, -margins)


def test_temperature_hand_value():
    # Three of four pairs are right, all with |Δ| = 1: the best σ(1/T) is ¾, so T = 1 / log 3.
    assert fit_temperature(np.array([1.0, 1.0, 1.0, -1.0])) == pytest.approx(1 / math.log(3), rel=1e-5)


def test_temperature_of_soft_labels():
    # Labels that are σ(Δ/2) exactly.
    margins = np.array([-3.0, -1.0, 0.5, 2.0])
    assert fit_temperature(margins, expit(margins / 2)) == pytest.approx(2, rel=1e-5)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_temperature_is_recovered_from_drawn_labels(temperature: float):
    assert fit_temperature(noisy_pairs(20_001, temperature)) == pytest.approx(temperature, rel=0.06)


def test_temperature_equals_a_logistic_regression_without_intercept():
    margins = noisy_pairs(501, 1.7)
    model = sklearn.linear_model.LogisticRegression(C=1e9, fit_intercept=False, tol=1e-10)
    model.fit(np.concatenate([margins, -margins])[:, None], np.repeat([1, 0], 501))
    assert fit_temperature(margins) == pytest.approx(1 / model.coef_[0, 0], rel=1e-4)


@settings(max_examples=30)
@given(st.lists(st.floats(-5, 5), min_size=3, max_size=20), st.floats(0.01, 100))
def test_scaling_margins_scales_the_temperature(margins: list[float], scale: float):
    at = np.round(np.array(margins), 3)
    if at.any():
        assert fit_temperature(at * scale) == pytest.approx(fit_temperature(at) * scale, rel=1e-4)


def test_degenerate_temperatures():
    # Root mean squares 1, 1 and 0.
    assert fit_temperature(np.array([1.0, 1.0])) == pytest.approx(0.01)
    assert fit_temperature(np.array([-1.0, -1.0])) == pytest.approx(1000)
    assert fit_temperature(np.zeros(3)) == 1.0
    assert fit_temperature(np.array([1.0, -1.0])) == pytest.approx(1000)
    with pytest.raises(DataError, match="no pair"):
        fit_temperature(np.empty(0))


def test_a_fitted_temperature_lowers_the_loss():
    margins = noisy_pairs(2001, 3.0)
    fitted = fit_temperature(margins)
    lowest = log_losses(margins, temperature=fitted).mean()
    assert lowest < log_losses(margins).mean()
    for nearby in (0.98, 1.02):
        assert lowest < log_losses(margins, temperature=fitted * nearby).mean()


def test_hand_values_of_squared_errors_and_log_losses():
    margins = np.array([0.0, math.log(3)])
    # σ: ½ and ¾; errors ¼ and 1/16; −log: log 2 and log(4/3).
    assert squared_errors(margins) == pytest.approx([0.25, 0.0625])
    assert log_losses(margins) == pytest.approx([math.log(2), math.log(4 / 3)])
    # At T = log 3 / log 9 = ½ the second becomes σ(log 9) = .9.
    assert squared_errors(margins, temperature=0.5) == pytest.approx([0.25, 0.01])


def test_against_sklearn_on_both_orders():
    margins = noisy_pairs(301, 2.0)
    probs, labels = expit(np.concatenate([margins, -margins])), np.repeat([1, 0], 301)
    assert log_losses(margins).mean() == pytest.approx(sklearn.metrics.log_loss(labels, probs))
    assert squared_errors(margins).mean() == pytest.approx(sklearn.metrics.brier_score_loss(labels, probs))


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(0, 1)), min_size=1, max_size=20))
def test_swapping_the_sides_changes_nothing(rows: list[tuple[float, float]]):
    margins, prob = np.array(rows).T
    for score in (squared_errors, log_losses, expected_calibration_error):
        assert score(-margins, 1 - prob) == pytest.approx(score(margins, prob), abs=1e-9)


def test_a_judge_that_is_sure_and_right_half_of_the_time_is_badly_calibrated():
    margins = np.array([8.0, -8.0] * 50)
    # Half of the points say .99966 and are right in ½ of the cases; the other half say .00034, likewise.
    assert expected_calibration_error(margins) == pytest.approx(0.49966, abs=1e-4)


def test_a_judge_that_says_half_is_calibrated_whatever_the_order_of_the_labels():
    assert expected_calibration_error(np.zeros(40)) == pytest.approx(0.0)
    (only,) = reliability(np.zeros(40))
    assert (only.predicted, only.observed, only.n) == (0.5, 0.5, 80)


def test_labels_drawn_from_the_model_are_calibrated_and_sharper_ones_are_not():
    margins = noisy_pairs(20_001, 1.0)
    assert expected_calibration_error(margins) < 0.015
    assert expected_calibration_error(3 * margins) > 0.08
    assert expected_calibration_error(3 * margins, temperature=3.0) == pytest.approx(
        expected_calibration_error(margins)
    )


def test_reliability_by_hand():
    # Points sorted by Δ: −2 (label 0), −1 (1), 1 (0), 2 (1); two bins of two.
    low, high = reliability(np.array([2.0, -1.0]), bins=2)
    assert (low.n, high.n) == (2, 2)
    assert (low.observed, high.observed) == (0.5, 0.5)
    assert low.predicted == pytest.approx((expit(-2) + expit(-1)) / 2)
    assert high.predicted == pytest.approx((expit(2) + expit(1)) / 2)
    # Each bin's gap: |.5 − .19401|, twice, with half of the mass each.
    assert expected_calibration_error(np.array([2.0, -1.0]), bins=2) == pytest.approx(0.30599, abs=1e-4)


def test_bins_have_equal_mass_and_hold_every_point():
    bins = reliability(noisy_pairs(503, 1.0), bins=10)
    assert len(bins) == 10
    assert sum(one.n for one in bins) == 1006
    assert {one.n for one in bins} <= {100, 101}
    assert [one.predicted for one in bins] == sorted(one.predicted for one in bins)
    for one in bins:
        assert one.low <= one.observed <= one.high


def test_groups_widen_the_intervals():
    margins, groups = np.repeat(noisy_pairs(60, 1.0), 9), np.repeat(np.arange(60), 9)
    alone, grouped = reliability(margins, bins=4), reliability(margins, bins=4, groups=groups)
    for narrow, wide in zip(alone, grouped, strict=True):
        assert narrow.observed == wide.observed
        assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_no_pairs():
    empty = np.empty(0)
    assert len(squared_errors(empty)) == len(log_losses(empty)) == 0
    assert math.isnan(expected_calibration_error(empty))
    assert reliability(empty) == []


def test_extreme_margins_stay_finite():
    assert log_losses(np.array([1e4, -1e4])) == pytest.approx([0, 1e4])
    assert math.isfinite(fit_temperature(np.array([1e-30, 1e30, -1.0])))


@pytest.mark.parametrize(
    ("margins", "prob"), [([math.nan], [1.0]), ([1.0], [1.5]), ([1.0], [math.nan]), ([1.0, 2.0], [1.0])]
)
def test_bad_input_is_refused(margins: list[float], prob: list[float]):
    with pytest.raises((DataError, TypeCheckError)):
        squared_errors(np.array(margins), np.array(prob))
