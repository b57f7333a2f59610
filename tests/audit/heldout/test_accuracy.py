from __future__ import annotations

import numpy as np
import pytest
from tests.audit.planted import observed, simple

from rewardsmith.audit.heldout.accuracy import (
    accuracy_findings,
    compare_with_floors,
    margin_histogram,
    measure_accuracy,
)
from rewardsmith.audit.heldout.words import WordFloor

# Lengths of chosen and rejected: 4/2, 4/2, 2/4, 3/3, and a tie of the raters.
PREFERENCES = [
    simple("1", "aaaa", "bb"),
    simple("2", "aaaa", "bb"),
    simple("3", "aa", "bbbb"),
    simple("4", "aaa", "bbb"),
    simple("5", "aaa", "bbb", tie=True),
]
# Right, right, equal, wrong; the tie does not count.
REWARDS = [(2.0, 0.0), (1.0, 0.5), (3.0, 3.0), (0.0, 1.0), (9.0, 0.0)]
WORDS = WordFloor(np.array([1.0, -1.0, -1.0, 0.0, 5.0]), "by hand")


def named(findings):
    return {finding.name: finding for finding in findings}


def test_accuracy_by_hand():
    accuracy = measure_accuracy(observed(PREFERENCES, REWARDS), seed=0)
    assert accuracy.estimate.value == pytest.approx((1 + 1 + 0.5 + 0) / 4)
    assert accuracy.estimate.n == 4
    assert (accuracy.reward_ties, accuracy.label_ties, accuracy.unscored) == (1, 1, 0)


def test_swapped_rewards_give_one_minus_the_accuracy():
    swapped = [(rejected, chosen) for chosen, rejected in REWARDS]
    assert measure_accuracy(observed(PREFERENCES, swapped), seed=0).estimate.value == pytest.approx(1 - 0.625)


def test_floors_and_leads_by_hand():
    floors = {floor.name: floor for floor in compare_with_floors(observed(PREFERENCES, REWARDS), WORDS, seed=0)}
    # Longer: right, right, wrong, equal length.
    assert floors["longer wins"].estimate.value == pytest.approx(2.5 / 4)
    assert floors["shorter wins"].estimate.value == pytest.approx(1.5 / 4)
    # Words: right, wrong, wrong, undecided.
    assert floors["bag of words"].estimate.value == pytest.approx(1.5 / 4)
    assert floors["longer wins"].lead.value == pytest.approx(0.0)
    assert floors["bag of words"].lead.value == pytest.approx(0.25)


def test_unscored_pairs_are_counted_and_left_out():
    rewards = [(float("nan"), 0.0), *REWARDS[1:]]
    accuracy = measure_accuracy(observed(PREFERENCES, rewards), seed=0)
    assert accuracy.unscored == 1
    assert accuracy.estimate.value == pytest.approx(1.5 / 3)


def test_the_histogram_counts_every_judged_pair_once_and_is_symmetric():
    histogram = margin_histogram(observed(PREFERENCES, REWARDS), seed=0)
    assert sum(histogram.counts) == 4
    assert histogram.edges[0] == -histogram.edges[-1] == -2.0
    assert histogram.mean.value == pytest.approx((2 + 0.5 + 0 - 1) / 4)


@pytest.mark.parametrize(
    ("right", "severity"), [(1.0, "info"), (0.7, "info"), (0.5, "warning"), (0.3, "critical"), (0.0, "critical")]
)
def test_chance_and_below_are_told(right, severity):
    preferences = [simple(str(number), "a", "b") for number in range(200)]
    rewards = [(1.0, 0.0) if number < right * 200 else (0.0, 1.0) for number in range(200)]
    accuracy = measure_accuracy(observed(preferences, rewards), seed=0)
    found = named(accuracy_findings(accuracy, ()))
    assert found["accuracy.heldout"].severity == severity
    assert ("accuracy.suspicious" in found) == (right == 1.0)


def test_one_prompt_group_is_never_shown_to_be_better_than_a_coin():
    preferences = [simple(str(number), "a", "b", group="one") for number in range(20)]
    accuracy = measure_accuracy(observed(preferences, [(1.0, 0.0)] * 19 + [(0.0, 1.0)]), seed=0)
    assert named(accuracy_findings(accuracy, ()))["accuracy.heldout"].severity == "warning"


@pytest.mark.parametrize(
    ("right", "severity", "word"), [(0.9, "info", "Ahead"), (0.5, "warning", "Not shown"), (0.1, "warning", "beats")]
)
def test_a_floor_that_is_not_beaten_is_told(right, severity, word):
    preferences = [simple(str(number), "aaaa" if number % 2 else "a", "bb") for number in range(200)]
    wins = np.random.default_rng(0).random(200) < right
    rows = observed(preferences, [(1.0, 0.0) if win else (0.0, 1.0) for win in wins])
    floors = compare_with_floors(rows, WordFloor(np.zeros(200), "a coin"), seed=0)
    found = named(accuracy_findings(measure_accuracy(rows, seed=0), floors))["accuracy.over.longer_wins"]
    assert found.severity == severity
    assert word in found.summary


def test_without_a_judged_pair_nothing_is_made_up():
    rows = observed([simple("1", "a", "b", tie=True)], [(1.0, 0.0)])
    accuracy = measure_accuracy(rows, seed=0)
    assert np.isnan(accuracy.estimate.value)
    assert compare_with_floors(rows, WordFloor(np.zeros(1), ""), seed=0) == ()
    assert named(accuracy_findings(accuracy, ()))["accuracy.heldout"].severity == "critical"
