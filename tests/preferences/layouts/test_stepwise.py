"""Step labels."""

from __future__ import annotations

import math

import pytest

from rewardsmith.preferences.layouts import step_labels
from rewardsmith.preferences.outcome import Reason


def prm800k(*ratings: object) -> dict:
    return {
        "labeler": "e90a38f3",
        "timestamp": "2022-07-17T17:05:51",
        "generation": None,
        "is_quality_control_question": False,
        "is_initial_screening_question": True,
        "question": {"problem": "1 + 1?", "ground_truth_answer": "2"},
        "label": {
            "steps": [
                {
                    "completions": [{"text": "Add.", "rating": rating, "flagged": False}],
                    "human_completion": None,
                    "chosen_completion": 0,
                }
                for rating in ratings
            ],
            "total_time": 43054,
            "finish_reason": "found_error",
        },
    }


def test_unlabelled_steps_stay_unlabelled() -> None:
    """TRL pull request 2127: bool(-100) is True, which counted unlabelled steps as good ones."""
    assert step_labels([-100, None, 1, 0, -1, -100.0, math.nan]) == (None, None, 1, 0, -1, None, None)
    assert step_labels([True, False]) == (1, -1)


@pytest.mark.parametrize("value", [2, "1", 0.5, [1], -2])
def test_other_labels_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="step label"):
        step_labels([1, value])


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        ({"prompt": "q", "completions": ["a", "b"], "labels": [True, False]}, "2 steps, 2 of them labelled"),
        ({"prompt": "q", "completions": ["a", "b"], "labels": [-100, 1]}, "2 steps, 1 of them labelled"),
        ({"problem": "q", "steps": ["a", "b", "c"], "labels": [1, -1, None]}, "3 steps, 2 of them labelled"),
        (
            {"input": "q Step 1: a ки\nStep 2: b ки", "label": "q Step 1: a +\nStep 2: b -", "task": "GSM8K"},
            "2 steps, 2 of them labelled",
        ),
        (prm800k(1, -1, None), "3 steps, 2 of them labelled"),
    ],
)
def test_set_aside_with_the_row_as_it_was(read_all, row, detail) -> None:
    (result,) = read_all(row)
    assert result.outcome.reason is Reason.STEPWISE
    assert result.outcome.detail == detail
    assert result.row.values is row


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "q", "completions": ["a", "b"], "labels": [True]},
        {"prompt": "q", "completions": ["a"], "labels": ["good"]},
        {"prompt": "q", "completions": ["a"], "labels": True},
        {"problem": "q", "steps": [1], "labels": [1]},
        {"input": "q Step 1: a ки", "label": "q Step 1: a", "task": "GSM8K"},
        {"input": "no step", "label": "+", "task": "GSM8K"},
        {"labeler": "x", "question": "q", "label": {}},
        prm800k(5),
    ],
)
def test_wrong_types(read_all, row) -> None:
    assert read_all(row)[0].outcome.reason is Reason.WRONG_TYPE
