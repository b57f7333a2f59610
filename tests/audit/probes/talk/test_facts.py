"""Computed questions: the right answer is right, the wrong one is not."""

from __future__ import annotations

import re

import numpy as np
import pytest

from rewardsmith.audit.probes.talk.facts import Fact, make_problems, make_sums, nearby

_UNITS = {"minutes": 60, "centimetres": 100, "grams": 1000, "days": 7}


def _computed(question: str) -> int:
    """The answer, worked out from the words of the question by other code."""
    a, *rest = [int(number) for number in re.findall(r"\d+", question)]
    b = rest[0] if rest else 0
    if "%" in question:
        return round(a / 100 * b)
    if " + " in question:
        return a + b
    if " - " in question:
        return a - b
    if "times" in question:
        return a * b
    if "divided" in question:
        return a // b
    if "square" in question:
        return a**2
    return next(factor for unit, factor in _UNITS.items() if f"How many {unit}" in question) * a


def _solved(question: str) -> int:
    numbers = [int(number) for number in re.findall(r"\d+", question)]
    a, b, c = numbers
    if "shares" in question:
        return (a - b) // c
    if "pencils" in question or "train" in question or "pages left" in question:
        return a * b + c
    return a * b - c


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_right_and_wrong(seed: int) -> None:
    generator = np.random.default_rng(seed)
    for facts, solve in ((make_sums(70, generator), _computed), (make_problems(70, generator), _solved)):
        assert len({fact.question for fact in facts}) == len({fact.name for fact in facts}) == 70
        for fact in facts:
            assert fact.right == solve(fact.question), fact.question
            assert fact.wrong != fact.right
            assert fact.wrong > 0
            assert len(str(fact.wrong)) == len(str(fact.right))
            assert "{" not in fact.right_statement
            assert str(fact.right) in fact.right_statement


def test_statement() -> None:
    fact = Fact("n", "What is 2 + 2?", 4, 5, "2 + 2 is {}")
    assert (fact.right_statement, fact.wrong_statement) == ("2 + 2 is 4", "2 + 2 is 5")


@pytest.mark.parametrize("number", [1, 9, 10, 99, 100, 1000, 123456])
def test_nearby_has_as_many_digits(number: int) -> None:
    for seed in range(20):
        other = nearby(number, np.random.default_rng(seed))
        assert other != number
        assert len(str(other)) == len(str(number))
