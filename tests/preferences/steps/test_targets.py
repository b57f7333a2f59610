"""What a model is asked to say of each step, and where the first error is."""

from __future__ import annotations

import numpy as np
import pytest

from rewardsmith.core.conversation import user
from rewardsmith.preferences.steps.targets import trace_targets
from rewardsmith.preferences.steps.trace import StepTrace, first_error

NAN = float("nan")


def trace(*labels: int | None, final: bool | None = None) -> StepTrace:
    return StepTrace((user("q"),), tuple("step" for _ in labels), labels, final, "i", "g", "s")


@pytest.mark.parametrize(
    ("target", "neutral", "expected"),
    [
        ("steps", "good", [1, 0, 1, NAN]),
        ("steps", "skip", [1, 0, NAN, NAN]),
        ("outcome", "good", [NAN, NAN, NAN, 0]),
    ],
)
def test_targets(target, neutral, expected):
    found = trace_targets(trace(1, -1, 0, None, final=False), target=target, neutral=neutral)
    np.testing.assert_array_equal(found, np.array(expected, np.float32))


def test_an_outcome_that_nobody_knows_is_not_asked_for():
    assert np.isnan(trace_targets(trace(1, 1), target="outcome", neutral="good")).all()
    assert trace_targets(trace(1, 1, final=True), target="outcome", neutral="good")[-1] == 1


def test_the_first_error():
    assert first_error((1, 0, -1, None, -1)) == 2
    assert first_error((1, 0, None)) == -1
    assert first_error((None, -1)) == 1
    assert first_error((None, None)) is None
