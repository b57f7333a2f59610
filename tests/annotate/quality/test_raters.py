"""Planted habits are found, honest raters are left alone, and the figures are what they are called."""

from __future__ import annotations

import math

import pytest
from bench.simulated_raters import PLANTED, Habits, honest, simulate
from tests.annotate.quality.made import task, vote

from rewardsmith.annotate.quality.flags import FlagLimits, find_flags
from rewardsmith.annotate.quality.raters import measure_raters
from rewardsmith.annotate.raters import Rater
from rewardsmith.core.finding import Estimate


@pytest.mark.parametrize("seed", range(2))
def test_planted_habits_are_found_among_honest_raters(seed: int):
    raters = honest(7, seed=seed) | {name: habits for name, (_, habits) in PLANTED.items()}
    project = simulate(raters, n_tasks=500, overlap=7, gold=20, seed=seed)

    found = {row.rater: {flag.kind for flag in row.flags} for row in measure_raters(project.votes, project.tasks)}

    for name, (kind, _) in PLANTED.items():
        assert kind in found[name], name
    assert all(not found[name] for name in raters if name not in PLANTED)


@pytest.mark.parametrize(("seed", "longer_better"), [(10, 0.5), (11, 0.65), (12, 0.8)])
def test_nothing_is_found_where_there_is_nothing(seed: int, longer_better: float):
    project = simulate(
        honest(8, seed=seed), n_tasks=300, overlap=3, gold=20, repeats=60, longer_better=longer_better, seed=seed
    )

    assert all(not row.flags for row in measure_raters(project.votes, project.tasks))


def test_texts_of_flags_say_which_way():
    raters = honest(5) | {"first": Habits(place=3.0), "last": Habits(place=-3.0), "short": Habits(length=-4.0)}
    project = simulate(raters, n_tasks=200, seed=3)

    said = {
        row.rater: " ".join(flag.text for flag in row.flags) for row in measure_raters(project.votes, project.tasks)
    }

    assert "prefers what is shown first" in said["first"]
    assert "prefers what is shown last" in said["last"]
    assert "prefers shorter answers" in said["short"]


def test_gold_others_and_repeats_by_hand():
    right = task("g", gold=vote("g", "x", "first").answer)
    tasks = {"g": right, "a": task("a"), "b": task("b")}
    votes = [
        vote("g", "r", "first", gold=True),
        vote("g", "s", "second", gold=True),
        vote("a", "r", "first", time=1),
        vote("a", "r", "second", time=9, repeat=True),
        vote("b", "r", "tie", time=2),
        vote("b", "r", "tie", time=10, repeat=True),
        vote("a", "s", "first", time=3),
        vote("a", "t", "second", time=4),
        vote("b", "s", None, time=5),
        vote("a", "boss", "second", time=20, adjudication=True),
        vote("a", "judge", "second", time=6, origin="judge", seconds=0.01),
    ]
    names = {"r": Rater("r", "Rita")}

    rows = {row.rater: row for row in measure_raters(votes, tasks, names)}

    assert set(rows) == {"r", "s", "t", "judge"}  # adjudications are cast in sight of the votes
    assert rows["r"].name == "Rita"
    assert rows["r"].gold.value == 1.0
    assert rows["s"].gold.value == 0.0
    assert rows["r"].others.value == 0.5  # of s and t one says the same; the judge is no other
    assert rows["r"].repeats.value == 0.5  # a changed, b not
    assert (rows["r"].votes, rows["r"].skips) == (5, 0)
    assert (rows["s"].votes, rows["s"].skips) == (2, 1)
    assert rows["judge"].origin == "judge"
    assert rows["judge"].others.value == pytest.approx(1 / 3)  # of r, s and t
    assert math.isnan(rows["judge"].hasty)
    assert rows["judge"].pace.n == 0
    assert rows["s"].repeats.n == 0


def estimate(value: float, reach: float = 0.02, n: int = 100) -> Estimate:
    return Estimate(value, value - reach, value + reach, n, n)


def test_one_is_held_against_the_median_of_the_others():
    measures = {name: {"agreement": estimate(0.6)} for name in "abc"} | {"d": {"agreement": estimate(0.25)}}

    found = find_flags(measures)

    assert [flag.kind for flag in found["d"]] == ["agreement"]
    assert found["d"][0].limit == pytest.approx(0.3)
    assert not any(found[name] for name in "abc")
    # A wide interval, few comparisons, or nobody to be held against: no flag.
    assert not find_flags({**measures, "d": {"agreement": estimate(0.25, reach=0.2)}})["d"]
    assert not find_flags({**measures, "d": {"agreement": estimate(0.25, n=19)}})["d"]
    assert not find_flags({"a": measures["a"], "d": measures["d"]})["d"]


def test_nobody_is_flagged_where_nobody_agrees():
    measures = {name: {"agreement": estimate(-0.05)} for name in "abc"} | {"d": {"agreement": estimate(-0.5)}}

    assert not any(find_flags(measures).values())


def test_a_length_that_all_prefer_is_no_habit_of_one():
    measures = {name: {"length": estimate(0.64)} for name in "abcd"} | {"e": {"length": estimate(0.9)}}

    found = find_flags(measures)

    assert [name for name, flags in found.items() if flags] == ["e"]
    assert find_flags(measures, FlagLimits(length=0.3)) == dict.fromkeys("abcde", ())
