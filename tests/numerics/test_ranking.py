"""Accuracy credits and the rules for ties."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rewardsmith.core.errors import DataError
from rewardsmith.numerics.ranking import pair_accuracy

MARGINS = np.array([1.7, -0.2, 0.7, 0.0])


def test_hand_value_of_three_pairs():
    # Rewards (2.1, .8, 1.9) against (.4, 1.0, 1.2): two of three.
    margins = np.array([2.1, 0.8, 1.9]) - np.array([0.4, 1.0, 1.2])
    assert pair_accuracy(margins).mean() == pytest.approx(2 / 3)


def test_rules_for_ties():
    assert pair_accuracy(MARGINS, ties="half").tolist() == [1.0, 0.0, 1.0, 0.5]
    assert pair_accuracy(MARGINS, ties="loss").tolist() == [1.0, 0.0, 1.0, 0.0]
    dropped = pair_accuracy(MARGINS, ties="drop")
    assert dropped[:3].tolist() == [1.0, 0.0, 1.0]
    assert math.isnan(dropped[3])


def test_swapping_the_sides_turns_accuracy_around():
    assert (pair_accuracy(-MARGINS) == 1 - pair_accuracy(MARGINS)).all()


def test_infinite_margins_count_and_nan_is_refused():
    assert pair_accuracy(np.array([math.inf, -math.inf])).tolist() == [1.0, 0.0]
    with pytest.raises(DataError, match="pair 1"):
        pair_accuracy(np.array([0.0, math.nan]))
