"""Rows of every stepwise layout as traces."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.preferences.outcome import RawRow, Reason, Rejection
from rewardsmith.preferences.settings import SourceSettings
from rewardsmith.preferences.steps.layouts import read_steps
from rewardsmith.preferences.steps.trace import StepTrace


def outcomes(*rows: dict[str, Any] | None, **settings: Any) -> list[Any]:
    raw = (RawRow(row, "f.jsonl", line, "" if row is not None else "not JSON") for line, row in enumerate(rows, 1))
    return [each.outcome for each in read_steps(raw, SourceSettings(path="data/f.jsonl", **settings))]


def traces(row: dict[str, Any]) -> tuple[StepTrace, ...]:
    (found,) = outcomes(row)
    assert not isinstance(found, Rejection), found
    return found


def prm800k(*steps: dict[str, Any]) -> dict[str, Any]:
    question = {"problem": "1 + 1?", "ground_truth_answer": "2"}
    return {"labeler": "e90a38f3", "question": question, "label": {"steps": list(steps), "finish_reason": "solution"}}


def step(*completions: tuple[str, object], chosen: int | None = 0, human: str | None = None) -> dict[str, Any]:
    return {
        "completions": [{"text": text, "rating": rating, "flagged": False} for text, rating in completions],
        "human_completion": None if human is None else {"text": human, "rating": None},
        "chosen_completion": chosen,
    }


def test_trl():
    row = {"prompt": "Add.", "completions": ["one ", "two", "three"], "labels": [True, False, -100]}
    (trace,) = traces(row)
    assert trace.prompt == (user("Add."),)
    assert trace.steps == ("one", "two", "three")
    assert trace.labels == (1, -1, None)
    assert trace.final_correct is None
    assert (trace.id, trace.source) == ("f:1", "f")


def test_own_with_all_that_a_row_can_say():
    row = {"id": "a", "prompt_id": "g", "problem": [{"role": "user", "content": "q"}], "steps": ["x", "y"]}
    (trace,) = traces(row | {"labels": [0, None], "final_correct": False, "source": "S", "meta": {"first_error": None}})
    assert trace == StepTrace((user("q"),), ("x", "y"), (0, None), False, "a", "g", "S")


def test_unlabelled_steps_stay_unlabelled_in_traces():
    """TRL pull request 2127: bool(-100) is True."""
    row = {"prompt": "q", "completions": list("abcdef"), "labels": [-100, -100.0, None, math.nan, 1, -1]}
    assert traces(row)[0].labels == (None, None, None, None, 1, -1)


def test_math_shepherd():
    row = {
        "input": "Lee has 3 + 4 pens. How many? Step 1: 3 + 4 = 7. ки\nStep 2: The answer\nis: 8 ки",
        "label": "Lee has 3 + 4 pens. How many? Step 1: 3 + 4 = 7. +\nStep 2: The answer\nis: 8 -",
        "task": "GSM8K",
    }
    (trace,) = traces(row)
    assert trace.prompt == (user("Lee has 3 + 4 pens. How many?"),)
    assert trace.steps == ("Step 1: 3 + 4 = 7.", "Step 2: The answer\nis: 8")
    assert trace.labels == (1, -1)


def test_math_shepherd_cut_off_before_its_last_tag():
    row = {"input": "q Step 1: a ки\nStep 2: b", "label": "q Step 1: a +\nStep 2: b", "task": "MATH"}
    assert traces(row)[0].labels == (1, None)


def test_prm800k_is_the_way_taken_and_each_other_end():
    row = prm800k(
        step(("A", 1), ("B", -1)),
        step(("C", 0), ("D", -1), chosen=None, human="H"),
        step(("E", -1), chosen=None),
    )
    found = traces(row)
    assert [each.steps for each in found] == [("A", "H", "E"), ("B",), ("A", "C"), ("A", "D")]
    # A label counts once: the steps before another end are labelled in the trace that they belong to.
    assert [each.labels for each in found] == [(1, None, -1), (-1,), (None, 0), (None, -1)]
    assert [each.id for each in found] == ["f:1", "f:1#1", "f:1#2", "f:1#3"]
    assert len({each.group for each in found}) == 1


def test_prm800k_ends_where_nothing_was_chosen():
    row = prm800k(step(("A", 1)), step(("B", -1), ("C", -1), chosen=None), step(("never", 1)))
    assert [each.steps for each in traces(row)] == [("A",), ("A", "B"), ("A", "C")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "q", "completions": ["a", "b"], "labels": [True]}, Reason.WRONG_TYPE),
        ({"prompt": "q", "completions": ["a"], "labels": ["good"]}, Reason.WRONG_TYPE),
        ({"prompt": "q", "completions": [1], "labels": [1]}, Reason.WRONG_TYPE),
        ({"prompt": "q", "completions": ["a\ud800"], "labels": [1]}, Reason.WRONG_TYPE),
        ({"prompt": "q", "completions": ["a", " "], "labels": [1, 1]}, Reason.EMPTY_SIDE),
        ({"prompt": "q", "completions": [], "labels": []}, Reason.EMPTY_SIDE),
        ({"prompt": " ", "completions": ["a"], "labels": [1]}, Reason.EMPTY_SIDE),
        ({"prompt": "q", "completions": ["a"], "labels": [-100]}, Reason.ABSTENTION),
        ({"prompt": "q", "completions": ["a"], "labels": [1], "final_correct": "yes"}, Reason.WRONG_TYPE),
        ({"input": "no step ки", "label": "no step +", "task": "GSM8K"}, Reason.WRONG_TYPE),
        ({"input": "q Step 1: a ки", "label": "q Step 1: other +", "task": "GSM8K"}, Reason.WRONG_TYPE),
        ({"input": "q Step 1: a", "label": "q Step 1: a", "task": "GSM8K"}, Reason.WRONG_TYPE),
        ({"labeler": "x", "question": "q", "label": {}}, Reason.WRONG_TYPE),
        (prm800k(), Reason.WRONG_TYPE),
        (prm800k(step(("A", 5))), Reason.WRONG_TYPE),
    ],
)
def test_what_is_no_trace(row: dict[str, Any], reason: Reason):
    (found,) = outcomes(row)
    assert isinstance(found, Rejection)
    assert found.reason is reason


def test_nothing_but_the_outcome_is_a_trace():
    row = {"problem": "q", "steps": ["a"], "labels": [None], "final_correct": True}
    assert traces(row)[0].final_correct is True


def test_bad_lines_are_counted_and_foreign_files_refused():
    good = {"prompt": "q", "completions": ["a"], "labels": [1]}
    found = outcomes(good, None, {"prompt": "q"})
    assert [isinstance(each, Rejection) for each in found] == [False, True, True]
    assert found[1].reason is found[2].reason is Reason.UNREADABLE
    with pytest.raises(DataError, match="no known layout has these columns"):
        outcomes({"prompt": "q", "chosen": "a", "rejected": "b"})
    with pytest.raises(SettingsError, match="unknown layout 'pair'"):
        outcomes(good, layout="pair")
    with pytest.raises(DataError, match="no row could be read"):
        outcomes(None)


def test_a_trace_needs_a_label_for_each_step():
    with pytest.raises(DataError, match="2 steps, 1 labels"):
        StepTrace((user("q"), assistant("a")), ("a", "b"), (1,), None, "i", "g", "s")
