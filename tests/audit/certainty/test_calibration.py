from __future__ import annotations

from math import log

import numpy as np
import pytest
from tests.audit.planted import observed, simple

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.certainty.calibration import Calibration, calibration_findings, measure_calibration
from rewardsmith.numerics.calibration import fit_temperature, log_losses


def rows_with(scale, count=600, seed=0):
    """Pairs whose label follows σ(margin); the model says `scale` times the margin."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(size=count) * 1.5
    right = rng.random(count) < 1 / (1 + np.exp(-np.abs(margin)))
    said = np.where(right, np.abs(margin), -np.abs(margin)) * scale
    return observed([simple(str(number), "a", "b") for number in range(count)], [(value, 0.0) for value in said])


def measured(rows) -> Calibration:
    calibration = measure_calibration(rows, seed=0)
    assert isinstance(calibration, Calibration)
    return calibration


def severities(calibration):
    return {finding.name: finding.severity for finding in calibration_findings(calibration)}


@pytest.mark.parametrize("scale", [0.2, 1.0, 5.0])
def test_the_temperature_undoes_the_scale(scale):
    calibration = measured(rows_with(scale))
    assert calibration.temperature == pytest.approx(scale, rel=0.3)
    assert calibration.after.nll_nats.value == pytest.approx(measured(rows_with(1.0)).after.nll_nats.value, rel=1e-3)


def test_an_overconfident_model_is_told_and_a_calibrated_one_is_not():
    assert severities(measured(rows_with(20.0)))["calibration.likelihood"] == "warning"
    assert set(severities(measured(rows_with(1.0))).values()) == {"info"}
    assert measured(rows_with(20.0)).gain_nats.low > 0


def test_what_no_temperature_repairs_is_told_with_a_small_p():
    # Right on 95% of the pairs where it says ±1, and on half of those where it says ±3.
    rng = np.random.default_rng(0)
    said = np.where(np.arange(600) % 2, 1.0, 3.0)
    right = rng.random(600) < np.where(np.arange(600) % 2, 0.95, 0.5)
    rows = observed(
        [simple(str(number), "a", "b") for number in range(600)],
        [(float(value), 0.0) for value in np.where(right, said, -said)],
    )
    calibration = measured(rows)
    assert severities(calibration)["calibration.error"] == "warning"
    assert calibration.error_p_value < 1e-6


def test_a_calibrated_model_has_no_small_p_of_its_error():
    p_values = [measured(rows_with(1.0, count=150, seed=seed)).error_p_value for seed in range(10)]
    assert min(p_values) > 1e-3
    assert max(p_values) > 0.1


def test_each_half_is_judged_with_the_temperature_of_the_other():
    rows = rows_with(3.0, count=200)
    calibration = measured(rows)
    groups = np.unique(rows.group)
    first = np.isin(rows.group, np.random.default_rng(0).permutation(groups)[:100])
    one, other = fit_temperature(rows.margin[first]), fit_temperature(rows.margin[~first])
    assert calibration.half_temperatures == (one, other)
    expected = (
        log_losses(rows.margin[first], temperature=other).sum() + log_losses(rows.margin[~first], temperature=one).sum()
    ) / 200
    assert calibration.after.nll_nats.value == pytest.approx(expected)


def test_a_model_that_knows_nothing_scores_as_such_after_scaling():
    rng = np.random.default_rng(1)
    rows = observed([simple(str(i), "a", "b") for i in range(400)], [(value, 0.0) for value in rng.normal(size=400)])
    assert measured(rows).after.nll_nats.value == pytest.approx(log(2), abs=0.01)


def test_no_temperature_fits_a_model_that_is_always_right():
    rows = observed([simple(str(i), "a", "b") for i in range(100)], [(1.0, 0.0)] * 100)
    calibration = measure_calibration(rows, seed=0)
    assert isinstance(calibration, Absent)
    assert "no temperature fits" in calibration.reason
    assert calibration_findings(calibration) == []


@pytest.mark.parametrize("count", [0, 1, 30])
def test_too_few_pairs(count):
    rows = observed([simple(str(i), "a", "b") for i in range(count)], [(float(i % 3), 1.0) for i in range(count)])
    assert isinstance(measure_calibration(rows, seed=0), Absent)
