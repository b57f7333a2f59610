from __future__ import annotations

import pytest
from tests.audit.planted import observed, simple

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.certainty.disagreement import Disagreement, disagreement_findings, measure_disagreement

UNANIMOUS, DIVIDED = ("chosen",) * 3, ("chosen", "chosen", "rejected")


def rows_with(unanimous_margin, divided_margin, count=40):
    preferences = [simple(str(number), "a", "b", votes=UNANIMOUS if number % 2 else DIVIDED) for number in range(count)]
    rewards = [((unanimous_margin if number % 2 else divided_margin) + 0.01 * number, 0.0) for number in range(count)]
    return observed(preferences, rewards)


def test_mean_margin_by_agreement_by_hand():
    part = measure_disagreement(rows_with(2.0, 1.0), seed=0)
    assert isinstance(part, Disagreement)
    divided, unanimous = part.bins
    assert (divided.low, divided.high) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert unanimous.low == 1.0
    # 1 + .01·mean(0, 2, …, 38) and 2 + .01·mean(1, 3, …, 39).
    assert divided.margin.value == pytest.approx(1.19)
    assert unanimous.margin.value == pytest.approx(2.20)
    assert (divided.margin.n, unanimous.margin.n) == (20, 20)
    (finding,) = disagreement_findings(part)
    assert finding.severity == "info"
    assert "less sure where people differ" in finding.summary
    assert finding.p_value is not None
    assert finding.p_value > 0.99


def test_a_model_that_is_surest_where_people_differ_is_told():
    part = measure_disagreement(rows_with(1.0, 2.0), seed=0)
    assert isinstance(part, Disagreement)
    assert part.correlation.value < 0
    (finding,) = disagreement_findings(part)
    assert finding.severity == "warning"
    assert finding.p_value is not None
    assert finding.p_value < 1e-3


def test_many_degrees_of_agreement_share_bins():
    preferences = [
        simple(str(number), "a", "b", votes=("chosen",) * (10 + number % 11) + ("rejected",) * 9)
        for number in range(110)
    ]
    part = measure_disagreement(observed(preferences, [(1.0, 0.0)] * 110), seed=0)
    assert isinstance(part, Disagreement)
    assert 2 <= len(part.bins) <= 4
    assert sum(entry.margin.n for entry in part.bins) == 110


@pytest.mark.parametrize(("votes", "word"), [((), "carry votes"), (UNANIMOUS, "same degree")])
def test_absent_without_votes_or_where_all_agree(votes, word):
    rows = observed([simple(str(i), "a", "b", votes=votes) for i in range(30)], [(1.0, 0.0)] * 30)
    part = measure_disagreement(rows, seed=0)
    assert isinstance(part, Absent)
    assert word in part.reason
    assert disagreement_findings(part) == []
