"""The KL budget as an audit reads it, and what it says of it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.evaluation import to_json
from rewardsmith.audit.stress.budget import Budget, budget_finding, formula, measure_budget
from rewardsmith.numerics.best_of_n import best_of_n_nats
from rewardsmith.numerics.overoptimisation import Form, gain_at

SIZES = (1, 2, 4, 8, 16, 32, 64)
NATS = [best_of_n_nats(n) for n in SIZES]


def measured(alpha: float, beta: float, *, form: Form = "best-of-n", prompts: int = 30, noise: float = 0.0) -> Budget:
    rng = np.random.default_rng(0)
    rows = [gain_at(np.array(NATS), alpha + noise * rng.normal(), beta, form=form) for _ in range(prompts)]
    found = measure_budget(NATS, np.stack(rows), list(range(prompts)), form=form)
    assert isinstance(found, Budget)
    return found


def test_a_curve_that_turns_is_followed_to_its_peak():
    # The peak is at (1/(2·0.4))² = 1.5625 nats: best of 13 spends 1.64 and best of 12 1.568; best of 11 1.489.
    found = measured(1.0, 0.4)
    assert found.peak_nats.value == pytest.approx(1.5625)
    assert found.nats == pytest.approx(1.5625, rel=0.02)
    assert found.n == 11
    assert not found.is_open
    assert found.gain.value == pytest.approx(1 / (4 * 0.4), rel=1e-3)
    assert found.misfit == pytest.approx(0, abs=1e-12)
    told = budget_finding("pressure.budget", found, unit="nats")
    assert (told.severity, told.unit, told.p_value) == ("info", "nats", None)
    assert (told.estimate.value, told.estimate.n, told.estimate.groups) == (found.nats, 30, 30)
    assert math.isnan(told.estimate.low)
    assert "which best of 11 spends" in told.summary
    assert "highest at 1.56 nats" in told.summary


def test_a_curve_that_rises_throughout_is_open():
    found = measured(1.0, 0.0, noise=0.1)
    assert found.is_open
    assert found.nats == found.most_nats == NATS[-1]
    told = budget_finding("pressure.budget", found, unit="selection nats").summary
    assert "Beyond, nothing was measured" in told
    assert "does not turn within the 3.17 selection nats" in told


def test_a_reward_that_costs_gold_has_nothing_to_spend():
    found = measured(-1.0, 0.1)
    assert (found.nats, found.n) == (0.0, 1)
    assert "No KL may be spent" in budget_finding("pressure.budget", found, unit="nats").summary


def test_rl_has_no_n_and_few_prompts_no_verdict():
    found = measured(1.0, 0.6, form="rl", prompts=8)
    assert found.n is None
    told = budget_finding("pressure.rl_budget", found, unit="nats").summary
    assert told.startswith("Too few prompts for a verdict: 8, at least 20")
    assert "best of" not in told
    assert "d·(α − β·log d)" in formula(found)


def test_a_prediction_for_other_prompts_is_wider_than_the_curve():
    found = measured(1.0, 0.3, noise=0.5)
    assert found.predicted.low < found.gain.low < found.gain.value < found.gain.high < found.predicted.high


def test_two_points_are_no_curve():
    few = measure_budget([0.0, 0.2, 0.6], np.ones((5, 3)), list("abcde"), form="best-of-n")
    assert isinstance(few, Absent)
    assert "there are 2" in few.reason


def test_it_goes_into_json_as_strict_numbers():
    values = json.loads(json.dumps(to_json(measured(1.0, 0.0)), allow_nan=False))
    assert len(values["curve"]) == 40
    assert values["curve"][0] == [0.0, 0.0, 0.0, 0.0]
    assert values["peak_nats"]["value"] is None
