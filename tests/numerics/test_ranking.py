"""Accuracy credits, the rules for ties, AUC."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rewardsmith.core.errors import DataError
from rewardsmith.numerics.ranking import accuracy, auc, pair_accuracy

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


def test_accuracy_of_each_rule():
    groups = ["a", "b", "c", "d"]
    assert accuracy(MARGINS, groups).value == pytest.approx(2.5 / 4)
    assert accuracy(MARGINS, groups, ties="loss").value == pytest.approx(2 / 4)
    dropped = accuracy(MARGINS, groups, ties="drop")
    assert (dropped.value, dropped.n, dropped.groups) == (pytest.approx(2 / 3), 3, 3)


def test_infinite_margins_count_and_nan_is_refused():
    assert pair_accuracy(np.array([math.inf, -math.inf])).tolist() == [1.0, 0.0]
    with pytest.raises(DataError, match="pair 1"):
        pair_accuracy(np.array([0.0, math.nan]))


def test_auc_by_hand():
    # Positives 3 and 1 against negatives 2 and 1: wins 2 of (3>2, 3>1), ½ of (1=1), 0 of (1<2): 2.5 / 4.
    labels = np.array([True, False, True, False])
    scores = np.array([3.0, 2.0, 1.0, 1.0])
    assert auc(scores, labels) == pytest.approx(0.625)
    assert auc(-scores, labels) == pytest.approx(0.375)
    assert math.isnan(auc(scores, np.ones(4, dtype=bool)))
