"""Numbers as a reader sees them."""

from __future__ import annotations

import math

import pytest

from rewardsmith.core.finding import Estimate
from rewardsmith.figures.wording import cell_note, cell_text, interval, number, sample


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (200.76, "200.8"),
        (14.0, "14"),
        (1498.4, "1,498"),
        (0.8534, "0.853"),
        (23.456, "23.46"),
        (0.001234, "0.0012"),
        (-0.5, "−0.500"),
        (0, "0"),
        (math.nan, "–"),
        (-math.inf, "−∞"),
        (123456, "123,456"),
    ],
)
def test_number(value: float, text: str):
    assert number(value) == text


def test_percent():
    assert number(0.6194, percent=True) == "61.9%"
    assert number(-0.031, percent=True) == "−3.1%"
    assert interval(Estimate(0.62, 0.598, 0.64, 9, 9), percent=True) == "59.8 to 64.0%"


def test_estimates():
    estimate = Estimate(0.62, 0.598, 0.64, 2298, 2165)
    assert (cell_text(estimate, False), cell_note(estimate, False)) == ("0.620", "0.598 to 0.640")
    assert sample(estimate).replace("\u00a0", " ") == "n = 2,298 in 2,165 groups"
    assert sample(Estimate(0.5, 0, 1, 7, 7)).replace("\u00a0", " ") == "n = 7"
    assert interval(Estimate(0.5, math.nan, math.nan, 1, 1)) == "–"


def test_cells():
    assert [cell_text(cell, True) for cell in (None, "a", 3, 0.25, True)] == ["–", "a", "3", "25.0%", "True"]
