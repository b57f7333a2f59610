"""Merging members of different cohorts: values by hand, and what a louder member may not change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.numerics.combination import Standard, standard_of
from rewardsmith.numerics.merging import RULES, Constraint, Merge, constrained, merge_linear

# Two members, three responses of one prompt; the second member is ten times as loud.
REWARDS = np.array([[1.0, 3.0, 5.0], [40.0, 60.0, 20.0]])
STANDARD = Standard(np.array([3.0, 40.0]), np.array([2.0, 20.0]))
# (1-3)/2, (3-3)/2, (5-3)/2 and (40-40)/20, (60-40)/20, (20-40)/20.
Z = np.array([[-1.0, 0.0, 1.0], [0.0, 1.0, -1.0]])


def test_the_sum_follows_the_loudest():
    np.testing.assert_allclose(Merge("sum")(REWARDS), [41, 63, 25])


def test_standardised_parts_and_their_sum():
    merge = Merge("standardised", standard=STANDARD)

    np.testing.assert_allclose(merge.parts(REWARDS), Z)
    np.testing.assert_allclose(merge(REWARDS), [-1, 1, 0])


def test_log_odds_divide_by_each_members_temperature():
    merge = Merge("log-odds", temperatures=np.array([0.5, 10.0]))

    np.testing.assert_allclose(merge(REWARDS), [2 + 4, 6 + 6, 10 + 2])


def test_merged_log_odds_are_those_of_independent_judges():
    """P(first) of two calibrated judges with an even prior: p·q / (p·q + (1-p)·(1-q))."""
    temperatures = np.array([0.5, 10.0])
    p, q = expit((REWARDS[:, 0] - REWARDS[:, 1]) / temperatures)

    merged = Merge("log-odds", temperatures=temperatures)(REWARDS)

    assert expit(merged[0] - merged[1]) == pytest.approx(p * q / (p * q + (1 - p) * (1 - q)))


def test_the_worst_cohort_is_the_smallest():
    np.testing.assert_allclose(Merge("worst-cohort", standard=STANDARD)(REWARDS), [-1, 0, -1])


def test_a_constraint_costs_what_falls_short_of_it():
    """Second member at least -0.5: only the third response falls short, by 0.5, at 4 each: 1 - 2."""
    found = constrained(Z, Constraint(0, np.array([9.0, -0.5]), 4.0))

    np.testing.assert_allclose(found, [-1, 0, -1])


def test_without_strength_a_constraint_is_the_objective_and_with_much_it_decides():
    free = constrained(Z, Constraint(0, np.array([0.0, 0.5]), 0.0))
    strict = constrained(Z, Constraint(0, np.array([0.0, 0.5]), 100.0))

    np.testing.assert_allclose(free, Z[0])
    assert int(strict.argmax()) == 1, "the only response above the threshold"


members = st.lists(st.floats(-5, 5), min_size=6, max_size=6, unique=True).map(np.array)


@settings(max_examples=30, deadline=None)
@given(first=members, second=members, factor=st.floats(0.1, 100), offset=st.floats(-50, 50))
def test_a_louder_member_changes_no_standardised_reward(
    first: np.ndarray, second: np.ndarray, factor: float, offset: float
):
    """But it changes the plain sum."""
    groups = [0, 0, 0, 1, 1, 1]
    both = np.stack([first, second])
    if any((np.ptp(part) < 1e-3) for row in both for part in (row[:3], row[3:])):
        return
    louder = np.stack([first, factor * second + offset])
    for rule in ("standardised", "worst-cohort"):
        quiet = Merge(rule, standard=standard_of(both, groups))(both)
        loud = Merge(rule, standard=standard_of(louder, groups))(louder)
        np.testing.assert_allclose(quiet, loud, atol=1e-6)


def test_one_linear_head_gives_the_sum_of_standardised_ones():
    rng = np.random.default_rng(0)
    features, weights, biases = rng.normal(size=(7, 5)), rng.normal(size=(2, 5)), np.array([0.3, -2.0])
    rewards = weights @ features.T + biases[:, None]

    weight, bias = merge_linear(weights, biases, STANDARD)

    np.testing.assert_allclose(features @ weight + bias, Merge("standardised", standard=STANDARD)(rewards))


def test_a_merged_head_by_hand():
    """w = 4/2 + 40/20, b = (1 - 3)/2 + (60 - 40)/20."""
    weight, bias = merge_linear(np.array([[4.0], [40.0]]), np.array([1.0, 60.0]), STANDARD)

    assert weight.tolist() == [4.0]
    assert bias == pytest.approx(0.0)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "sum"])
def test_a_rule_without_what_it_needs_is_refused(rule: str):
    with pytest.raises(SettingsError, match="needs more"):
        Merge(rule)  # type: ignore[arg-type]


def test_other_numbers_of_members_are_refused():
    three = np.zeros((3, 2))
    for merge in (
        Merge("standardised", standard=STANDARD),
        Merge("log-odds", temperatures=np.ones(2)),
        Merge("constrained", standard=STANDARD, constraint=Constraint(0, np.zeros(2), 1.0)),
    ):
        with pytest.raises(DataError, match="other members"):
            merge(three)


@pytest.mark.parametrize(
    "values", [(2, [0.0, 0.0], 1.0), (0, [0.0, float("nan")], 1.0), (0, [0.0, 0.0], -1.0), (0, [0.0, 0.0], np.inf)]
)
def test_an_unusable_constraint_is_refused(values: tuple[int, list[float], float]):
    with pytest.raises(DataError):
        Constraint(values[0], np.array(values[1]), float(values[2]))


def test_an_unusable_temperature_is_refused():
    with pytest.raises(DataError, match="temperature"):
        Merge("log-odds", temperatures=np.array([1.0, 0.0]))
