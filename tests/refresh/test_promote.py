"""Whether the candidate takes over."""

from __future__ import annotations

import pytest

from rewardsmith.core.finding import Estimate
from rewardsmith.gate.comparison import Comparison, Difference
from rewardsmith.refresh.promote import decide
from rewardsmith.refresh.settings import PromoteSettings


def comparison(value: float, low: float, high: float, *, groups: int = 100, verdict: str = "no difference shown"):
    nothing = Estimate(0.5, 0.4, 0.6, groups, groups)
    overall = Difference("accuracy", "all pairs", nothing, nothing, Estimate(value, low, high, groups, groups))
    part = Difference("accuracy", "source: refresh", nothing, nothing, nothing, 0.01, verdict)
    return Comparison(groups, 0, (overall, part), (), ())


@pytest.mark.parametrize(
    ("value", "low", "not_worse", "better"),
    [
        (0.05, 0.01, True, True),
        (0.05, -0.01, True, False),
        (0.05, -0.03, False, False),
        (0.0, -0.02, True, False),
        (-0.001, -0.01, False, False),
    ],
)
def test_the_rules(value: float, low: float, not_worse: bool, better: bool):
    found = comparison(value, low, 0.1)
    assert decide(found, PromoteSettings()).promoted is not_worse
    assert decide(found, PromoteSettings(rule="better")).promoted is better


def test_a_regression_anywhere_and_too_little_evidence_keep_the_incumbent():
    worse = decide(comparison(0.2, 0.1, 0.3, verdict="worse"), PromoteSettings())
    assert not worse.promoted
    assert worse.regressions == ("accuracy, source: refresh",)
    assert "source: refresh" in worse.why
    few = decide(comparison(0.2, 0.1, 0.3, groups=19), PromoteSettings(rule="better"))
    assert not few.promoted
    assert "19 held-out prompt groups" in few.why
