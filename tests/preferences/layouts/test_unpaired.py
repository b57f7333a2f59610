"""Unpaired preferences."""

from __future__ import annotations

import pytest

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.preference import Pair
from rewardsmith.preferences.outcome import Reason


def row(prompt: str, completion: object, label: object) -> dict:
    return {"prompt": prompt, "completion": completion, "label": label}


def test_liked_beats_disliked_of_the_same_prompt(read_all) -> None:
    (result,) = read_all(row("q", "bad", False), row("q", "good", True), row("q", "worse", "false"))
    assert result.row.line == 1
    assert result.outcome.prompt == (user("q"),)
    assert result.outcome.responses == ((assistant("good"),), (assistant("bad"),), (assistant("worse"),))
    assert result.outcome.pairs == (Pair(0, 1), Pair(0, 2))
    assert result.outcome.meta == {"lines": [1, 2, 3]}


def test_a_lone_one_is_unpaired(read_all) -> None:
    results = read_all(row("q", "a", True), row("q", "b", True), row("r", "a", False))
    assert [(result.row.line, result.outcome.reason) for result in results] == [
        (1, Reason.UNPAIRED),
        (2, Reason.UNPAIRED),
        (3, Reason.UNPAIRED),
    ]
    assert results[0].outcome.detail == "all 2 completion(s) of this prompt are labelled true"


def test_conversational(read_all) -> None:
    prompt = [{"role": "user", "content": "q"}]
    rows = [
        {"prompt": prompt, "completion": [{"role": "assistant", "content": text}], "label": label}
        for text, label in (("a", True), ("b", False))
    ]
    assert read_all(*rows)[0].outcome.pairs == (Pair(0, 1),)


@pytest.mark.parametrize("label", [-100, 2, 0.5, None, "good"])
def test_a_label_that_is_no_boolean(read_all, label) -> None:
    results = read_all(row("q", "a", label), row("q", "b", True), row("q", "c", False))
    assert results[0].outcome.reason is Reason.WRONG_TYPE


def test_empty_and_contradicting_completions(read_all) -> None:
    results = read_all(row("q", "a", True), row("q", "a", False), row("q", " ", True))
    assert {result.row.line: result.outcome.reason for result in results} == {
        3: Reason.EMPTY_SIDE,
        1: Reason.IDENTICAL,
        2: Reason.IDENTICAL,
    }
