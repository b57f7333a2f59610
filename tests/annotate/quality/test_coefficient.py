"""Agreement beyond chance of one rater with a reference: Cohen's κ, and what chance is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from rewardsmith.annotate.quality.coefficient import Compared, beyond_chance, same_share


def rows(own: list[str], other: list[str], *, sides: bool = False, scale: bool = False) -> list[Compared]:
    return [
        Compared(f"g{place}", "q", one, (two,), is_scale=scale, has_sides=sides)
        for place, (one, two) in enumerate(zip(own, other, strict=True))
    ]


def test_is_cohens_kappa_with_one_other_rater():
    rng = np.random.default_rng(0)
    own = rng.choice(["a", "b", "c"], size=41, p=[0.6, 0.3, 0.1])
    other = np.where(rng.random(41) < 0.7, own, rng.choice(["a", "b", "c"], size=41))

    estimate = beyond_chance(rows(own.tolist(), other.tolist()))

    assert estimate.value == pytest.approx(cohen_kappa_score(own, other), abs=1e-9)
    assert estimate.low < estimate.value < estimate.high


def test_a_near_miss_on_a_scale_is_half_right_as_in_linearly_weighted_kappa():
    rng = np.random.default_rng(1)
    own = rng.integers(1, 6, size=53)
    own[:2] = 1, 5  # the whole scale is there
    other = np.clip(own + rng.integers(-1, 2, size=53), 1, 5)
    labels = list(map(str, own)), list(map(str, other))

    assert beyond_chance(rows(*labels, scale=True)).value == pytest.approx(
        cohen_kappa_score(own, other, weights="linear"), abs=1e-9
    )
    # Distance 1 of a longest one of 4 is a quarter lost.
    assert same_share(rows(["1", "2"], ["2", "5"], scale=True)).value == pytest.approx((0.75 + 0.25) / 2)


def test_sides_count_in_both_orders():
    # All votes are "first": without both orders nothing could go wrong; with them chance is ½.
    same = rows(["first"] * 7, ["first"] * 7, sides=True)

    assert beyond_chance(same).value == 1.0
    assert math.isnan(beyond_chance(rows(["first"] * 7, ["first"] * 7)).value)

    own = ["first", "second", "tie", "second", "first"]
    other = ["first", "first", "tie", "second", "tie"]
    swap = {"first": "second", "second": "first", "tie": "tie"}
    both = cohen_kappa_score(own + [swap[each] for each in own], other + [swap[each] for each in other])
    assert beyond_chance(rows(own, other, sides=True)).value == pytest.approx(both, abs=1e-9)


def test_several_others_count_as_shares():
    half = [Compared("g", "q", "a", ("a", "b"), is_scale=False, has_sides=False)]

    assert same_share(half).value == 0.5


def test_chance_is_computed_within_a_question():
    # On each question both say one word only, so that agreement is no merit.
    two = rows(["a"] * 5, ["a"] * 5)
    other = [Compared(row.group, "p", "b", ("b",), is_scale=False, has_sides=False) for row in two]

    assert math.isnan(beyond_chance([*two, *other]).value)


def test_no_rows_are_no_estimate():
    assert same_share([]).n == 0
    assert beyond_chance([]).n == 0
