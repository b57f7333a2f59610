"""Checkers."""

from __future__ import annotations

import math
from typing import Any

import pytest

from rewardsmith.core.errors import DataError, JudgeError, SettingsError
from rewardsmith.optimise.reward.load import load_checker
from rewardsmith.optimise.reward.verifiable import checked, matches, same_number


@pytest.mark.parametrize(
    ("response", "answer", "wanted"),
    [
        ("So 3 + 4 = 7.", "3 + 4 = <<3+4=7>>7\n#### 7", 1.0),
        ("The answer is 1,234", "#### 1234", 1.0),
        ("The answer is $5.00.", 5, 1.0),
        ("First 7, then 8", "#### 7", 0.0),
        ("#### 7 is what I say, of 9", "#### 7", 1.0),
        ("It is -3", "#### 3", 0.0),
        ("I do not know", "#### 3", 0.0),
        ("", "#### 0", 0.0),
    ],
)
def test_same_number(response: str, answer: Any, wanted: float):
    assert same_number(response, answer) == wanted


def test_an_answer_without_a_number_is_refused():
    with pytest.raises(DataError, match="without a number"):
        same_number("7", "seven")


def test_matches():
    assert matches("Answer: yes", r"^Answer: (yes|no)$") == 1.0
    assert matches("yes", r"^Answer") == 0.0
    with pytest.raises(DataError, match="regular expression"):
        matches("yes", "(")


@pytest.mark.parametrize("said", [math.nan, 2.0, -1.0])
def test_a_checker_gives_a_share(said: float):
    with pytest.raises(JudgeError, match="row 3"):
        checked(lambda *_: said, "a", "b", where="row 3")


def test_a_checker_that_fails_is_named():
    with pytest.raises(JudgeError, match="ZeroDivisionError"):
        checked(lambda *_: 1 / 0, "a", "b", where="row 3")


def test_checkers_by_name():
    assert load_checker("number") is same_number
    assert load_checker("math:isclose") is math.isclose
    for name in ("numbers", "math:nothing", "no_such_module:f", "math:pi"):
        with pytest.raises(SettingsError):
            load_checker(name)
