from __future__ import annotations

import pytest
from tests.audit.planted import observed, simple

from rewardsmith.audit.heldout.health import health_findings, measure_health

NAN, INF = float("nan"), float("inf")


def measured(rewards):
    rows = observed([simple(str(number), "a", "b") for number in range(len(rewards))], rewards)
    health = measure_health(rows)
    return health, {finding.name: finding.severity for finding in health_findings(health)}


def test_healthy_rewards_stay_quiet():
    health, severities = measured([(1.0, -1.0), (0.5, 0.0), (-2.0, 3.0)])
    assert set(severities.values()) == {"info"}
    assert (health.lowest, health.highest) == (-2.0, 3.0)
    assert health.mean == pytest.approx(1.5 / 6)
    assert health.tied.value == 0


@pytest.mark.parametrize(
    ("rewards", "name", "severity"),
    [
        ([(NAN, 0.0), (1.0, 2.0)], "health.finite", "critical"),
        ([(INF, 0.0), (1.0, 2.0)], "health.finite", "critical"),
        ([(1.0, 1.0)] * 5, "health.constant", "critical"),
        ([(1.0, 1.0), (2.0, 2.0)], "health.ties", "critical"),
        ([(1.0, 1.0)] + [(2.0, 1.0)] * 9, "health.ties", "warning"),
        ([(51.0, 1.0), (2.0, 1.0)], "health.drift", "warning"),
        ([(1.0, -300.0), (2.0, 1.0)], "health.drift", "warning"),
    ],
)
def test_each_fault_fires(rewards, name, severity):
    assert measured(rewards)[1][name] == severity


def test_fifty_is_no_drift_yet():
    assert measured([(50.0, -50.0)])[1]["health.drift"] == "info"


def test_rewards_that_are_all_nan_are_not_called_constant():
    health, severities = measured([(NAN, NAN)] * 3)
    assert health.nonfinite == 6
    assert severities["health.finite"] == "critical"
    assert severities["health.constant"] == "info"
