"""Held-out figures of a step model, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rewardsmith.core.conversation import user
from rewardsmith.preferences.steps.trace import StepTrace
from rewardsmith.training.steps.figures import error_threshold, step_figures

NAN = float("nan")


def trace(*labels: int | None) -> StepTrace:
    return StepTrace((user("q"),), tuple("step" for _ in labels), labels, None, "i", "g", "s")


TRACES = [trace(1, -1, None), trace(1, 0), trace(None)]
TARGETS = [np.array(each, np.float32) for each in ([1, 0, NAN], [1, 1], [NAN])]
LOGITS = [np.array(each, np.float32) for each in ([2, -2, -9], [2, 0], [-9])]


def test_figures():
    """Labelled: +2 right, −2 wrong, +2 right, 0 right → losses .1269 three times and log 2; 3½ of 4 on their side.
    At ½ the error of the first trace is found at step 1 and none in the second; the third was not judged."""
    figures = step_figures(LOGITS, TARGETS, TRACES, threshold=0.5)
    assert figures["loss"] == pytest.approx((3 * 0.1269 + math.log(2)) / 4, abs=1e-4)
    assert figures["accuracy"] == 3.5 / 4
    assert figures["labelled_steps"] == 4
    assert figures["right_share"] == 0.75
    assert figures["auroc"] == 1.0
    assert figures["first_error_f1"] == 1.0
    assert figures["first_error_traces"] == 2
    strict = step_figures(LOGITS, TARGETS, TRACES, threshold=0.6)
    assert strict["first_error_accuracy_erroneous"] == 1.0
    assert strict["first_error_accuracy_correct"] == 0.0
    assert strict["first_error_f1"] == 0.0


def test_the_threshold_parts_right_from_wrong():
    threshold = error_threshold(LOGITS, TRACES)
    assert 1 / (1 + math.exp(2)) < threshold < 0.5
    assert error_threshold(LOGITS[2:], TRACES[2:]) == 0.5
