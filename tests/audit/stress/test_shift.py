from __future__ import annotations

import numpy as np
import pytest
from tests.audit.planted import FeatureScorer, FunctionScorer, count_features, many, rater, simple

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.family import settle
from rewardsmith.audit.stress.shift import Distance, measure_shift, shift_findings
from rewardsmith.core.conversation import response_text
from rewardsmith.core.errors import DataError
from rewardsmith.core.finding import Finding


def named(shift) -> dict[str, Finding]:
    return {finding.name: finding for finding in settle(shift_findings(shift))}


def both(static, fresh, *, right, fresh_right, seed=0):
    """A scorer that agrees with the raters on a share of each slice."""
    known, new = rater(static, right=right, seed=seed), rater(fresh, right=fresh_right, seed=seed + 1)
    of_static = {preference.conversation(side) for preference in static for side in (0, 1)}
    return FunctionScorer(lambda one: (known if one in of_static else new).reward(one))


def test_accuracy_of_both_slices_by_hand():
    static = [simple(f"s{number}", "right", "wrong") for number in range(4)]
    fresh = [
        simple(f"f{number}", "right" if number else "wrong", "wrong" if number else "right") for number in range(4)
    ]
    scorer = FunctionScorer(lambda one: float(response_text(one) == "right"))
    shift = measure_shift(scorer, static, fresh)
    assert (shift.static.value, shift.fresh.value) == (1.0, 0.75)
    assert shift.difference.value == -0.25
    assert len(scorer.asked) == len(set(scorer.asked)) == 16


@pytest.mark.parametrize(
    ("right", "fresh_right", "severity"), [(0.92, 0.64, "critical"), (0.8, 0.8, "info"), (0.64, 0.92, "info")]
)
def test_a_drop_on_the_fresh_slice_is_told(right, fresh_right, severity):
    static, fresh = many(300), many(300, source="fresh", start=1000)
    found = named(measure_shift(both(static, fresh, right=right, fresh_right=fresh_right), static, fresh))
    drop = found["shift.drop"]
    assert drop.severity == severity
    assert drop.estimate.low < fresh_right - right < drop.estimate.high
    assert found["shift.fresh"].estimate.value == pytest.approx(fresh_right, abs=0.08)
    assert found["shift.fresh"].severity == "info"


def test_fresh_answers_that_the_model_ranks_by_a_coin_or_upside_down_are_told():
    static, fresh = many(200), many(200, source="fresh", start=1000)
    assert (
        named(measure_shift(both(static, fresh, right=0.9, fresh_right=0.5), static, fresh))["shift.fresh"].severity
        == "warning"
    )
    assert (
        named(measure_shift(both(static, fresh, right=0.9, fresh_right=0.2), static, fresh))["shift.fresh"].severity
        == "critical"
    )


def test_prompts_that_both_slices_hold_are_drawn_together():
    # Half of the prompts are easy in both slices, half are hard in both: the difference hardly varies.
    static = [simple(f"s{n}", "right", "wrong", group=str(n)) for n in range(200)]
    fresh = [simple(f"f{n}", "right", "wrong", group=str(n)) for n in range(200)]
    apart = [simple(f"f{n}", "right", "wrong", group=f"other {n}") for n in range(200)]
    scorer = FunctionScorer(
        lambda one: (1.0 if int(one[0].content[10:]) % 2 else -1.0) * (response_text(one) == "right")
    )
    paired = measure_shift(scorer, static, fresh).difference
    unpaired = measure_shift(scorer, static, apart).difference
    assert (paired.low, paired.high) == (0.0, 0.0)
    assert unpaired.high - unpaired.low > 0.1


def test_no_drop_is_no_alarm():
    alarms = 0
    for seed in range(20):
        static, fresh = many(100, seed=seed), many(100, source="fresh", start=1000, seed=seed)
        scorer = both(static, fresh, right=0.75, fresh_right=0.75, seed=10 * seed)
        alarms += named(measure_shift(scorer, static, fresh, seed=seed))["shift.drop"].severity != "info"
    assert alarms <= 2


def test_few_prompts_give_no_verdict():
    static, fresh = many(100), many(10, source="fresh", start=1000)
    drop = named(measure_shift(both(static, fresh, right=1.0, fresh_right=0.0), static, fresh))["shift.drop"]
    assert (drop.severity, drop.p_value) == ("info", None)
    assert "Too few" in drop.summary


def test_distance_by_hand():
    train = [simple("t", "0", "4")]
    static, fresh = [simple("s", "1", "5")], [simple("f", "7", "10")]
    # One feature; nearest training answers are 0 and 4: static 1 and 1, fresh 3 and 6; the unit cancels out.
    shift = measure_shift(
        FeatureScorer(
            lambda one: float(response_text(one)), lambda some: np.array([[float(response_text(one))] for one in some])
        ),
        static,
        fresh,
        train=train,
    )
    assert isinstance(shift.distance, Distance)
    assert shift.distance.ratio.value == pytest.approx(4.5)
    assert [(each.distance, each.fresh) for each in shift.distance.bins] == [(1.0, 0.0), (4.5, 1.0)]
    assert shift.distance.train == 2


def test_a_fresh_slice_from_elsewhere_is_far_and_one_from_here_is_not():
    train, static = many(200), many(100, start=500)
    far = [simple(f"f{n}", "abcdefgh " * (30 + n), "hgfedcba " * (25 + n)) for n in range(60)]
    near = many(100, start=2000)
    scorer = FeatureScorer(lambda one: len(response_text(one)), count_features)
    found = named(measure_shift(scorer, static, far, train=train))["shift.distance"]
    assert found.severity == "warning"
    assert found.estimate.low > 2
    calm = named(measure_shift(scorer, static, near, train=train))["shift.distance"]
    assert calm.severity == "info"
    assert calm.estimate.value == pytest.approx(1.0, abs=0.15)


def test_distance_is_absent_where_it_cannot_be_known():
    static, fresh = many(30), many(30, start=100)
    scorer = FunctionScorer(lambda one: len(response_text(one)))
    assert isinstance(measure_shift(scorer, static, fresh).distance, Absent)
    without = measure_shift(scorer, static, fresh, train=many(10, start=200))
    assert isinstance(without.distance, Absent)
    assert "features" in without.distance.reason
    assert set(named(without)) == {"shift.fresh", "shift.drop"}


def test_a_slice_without_a_label_is_refused():
    with pytest.raises(DataError, match="fresh slice"):
        measure_shift(FunctionScorer(lambda _: 0.0), many(5), [simple("t", "a", "b", tie=True)])
