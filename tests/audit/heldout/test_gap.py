from __future__ import annotations

import pytest
from tests.audit.planted import many

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.heldout.gap import gap_findings, measure_gap, sample_preferences
from rewardsmith.core.finding import Estimate


def test_a_large_gap_is_told_and_a_small_one_is_not():
    large = measure_gap(Estimate(0.95, 0.93, 0.97, 300, 300), Estimate(0.65, 0.60, 0.70, 300, 300))
    small = measure_gap(Estimate(0.70, 0.65, 0.75, 300, 300), Estimate(0.65, 0.60, 0.70, 300, 300))
    wide = measure_gap(Estimate(0.80, 0.50, 0.95, 20, 20), Estimate(0.65, 0.40, 0.85, 20, 20))
    assert large.difference.value == pytest.approx(0.30)
    assert [gap_findings(gap)[0].severity for gap in (large, small, wide)] == ["warning", "info", "info"]
    assert gap_findings(Absent("none")) == []
    p_large, p_wide = (gap_findings(gap)[0].p_value for gap in (large, wide))
    assert p_large is not None
    assert p_wide is not None
    assert p_large < 1e-9 < 0.05 < p_wide


def test_a_model_that_is_better_on_held_out_pairs_has_no_gap():
    gap = measure_gap(Estimate(0.5, 0.45, 0.55, 300, 300), Estimate(0.9, 0.85, 0.95, 300, 300))
    assert gap.difference.value < 0
    assert gap_findings(gap)[0].severity == "info"
    assert gap_findings(gap)[0].p_value == pytest.approx(1)


def test_the_sample_is_stable_distinct_and_in_order():
    preferences = many(50)
    drawn = sample_preferences(preferences, 20, seed=1)
    assert len({preference.id for preference in drawn}) == 20
    assert drawn == sample_preferences(preferences, 20, seed=1)
    assert [preferences.index(preference) for preference in drawn] == sorted(map(preferences.index, drawn))
    assert drawn != sample_preferences(preferences, 20, seed=2)
    assert sample_preferences(preferences, 99, seed=0) == preferences
