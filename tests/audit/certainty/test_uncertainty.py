"""Does the members' disagreement say where the ensemble is wrong?"""

from __future__ import annotations

import numpy as np
import pytest
from tests.training.toy import toy_preferences

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.audit import as_json, run_audit
from rewardsmith.audit.certainty.uncertainty import (
    Uncertainty,
    measure_uncertainty,
    pair_spread,
    uncertainty_findings,
    uncertainty_part,
)
from rewardsmith.core.scores import Provenance, Scores

WHO = Provenance("m", "t")
PREFERENCES = toy_preferences(200)


class Panel:
    """Two members: right by 1 on all but every fourth prompt, where they differ by `apart` and are wrong together."""

    def __init__(self, *, apart_where_wrong: float, apart_where_right: float, members: bool = True) -> None:
        self.apart = {True: apart_where_wrong, False: apart_where_right}
        self.members = members

    def score(self, conversations) -> Scores:
        rewards = np.array([self._members(each) for each in conversations], dtype=np.float32).reshape(-1, 2).T
        spread = rewards.std(axis=0)
        return Scores(rewards.mean(axis=0), WHO, spread=spread, members=rewards if self.members else None)

    def _members(self, conversation) -> tuple[float, float]:
        number = next(n for n, each in enumerate(PREFERENCES) if each.prompt == conversation[: len(each.prompt)])
        is_wrong, is_good = number % 4 == 0, conversation[-1].content.endswith("good")
        margin = 0.5 + number / 1000
        sign = (-1 if is_wrong else 1) * (1 if is_good else -1)
        half = self.apart[is_wrong] / 4 * (1 if is_good else -1)
        return sign * margin / 2 + half, sign * margin / 2 - half


class Single:
    """One model."""

    def score(self, conversations) -> Scores:
        return Scores(np.zeros(len(conversations), dtype=np.float32), WHO)


def test_spread_that_is_larger_on_wrong_pairs_has_an_auroc_of_one():
    measured = measure_uncertainty(Panel(apart_where_wrong=1.0, apart_where_right=0.2), PREFERENCES)

    assert isinstance(measured, Uncertainty)
    assert measured.auroc.value == 1.0
    assert measured.auroc.n == 200
    assert measured.spread.area == pytest.approx(measured.spread.best_area)
    assert measured.spread.random_area == pytest.approx(0.25, abs=0.02)  # some toy prompts are equal
    # Margins have nothing to do with it.
    assert 0.3 < measured.margin_auroc.value < 0.7
    (finding,) = uncertainty_findings(measured)
    assert (finding.name, finding.severity) == ("ensemble.spread", "info")
    assert "says where the ensemble is wrong" in finding.summary


def test_spread_that_is_smaller_on_wrong_pairs_is_a_warning():
    measured = measure_uncertainty(Panel(apart_where_wrong=0.2, apart_where_right=1.0), PREFERENCES)
    assert isinstance(measured, Uncertainty)
    assert measured.auroc.value == 0.0
    (finding,) = uncertainty_findings(measured)
    assert finding.severity == "warning"
    assert finding.p_value is not None
    assert finding.p_value < 0.01


def test_the_spread_of_a_pair_is_that_of_its_margin():
    # Members' margins 1 − 0 = 1 and 4 − 0 = 4: mean 2.5, deviation 1.5. The offset of member 1 drops out.
    members = np.array([[1.0, 0.0], [104.0, 100.0]], dtype=np.float32)
    scores = Scores(members.mean(axis=0), WHO, spread=members.std(axis=0), members=members)
    assert pair_spread(scores, np.array([[0, 1]])) == pytest.approx([1.5])
    alone = Scores(np.zeros(2, np.float32), WHO, spread=np.array([3.0, 4.0], dtype=np.float32))
    assert pair_spread(alone, np.array([[0, 1]])) == pytest.approx([5.0])


def test_too_few_wrong_pairs_are_said_to_be_so():
    measured = measure_uncertainty(Panel(apart_where_wrong=1.0, apart_where_right=0.2), PREFERENCES[:20])
    assert isinstance(measured, Absent)
    assert "Only 5 pairs are wrong" in measured.reason
    assert uncertainty_findings(measured) == []


def test_a_single_model_has_no_such_part_and_an_ensemble_has():
    assert uncertainty_part(Single(), PREFERENCES) is None
    scorer = Panel(apart_where_wrong=1.0, apart_where_right=0.2)
    part = uncertainty_part(scorer, PREFERENCES)
    assert part is not None
    audit = run_audit(scorer, PREFERENCES[:60], probes=(), contrasts=(), parts=[part])
    assert any(finding.name == "ensemble.spread" for finding in audit.findings)
    assert as_json(audit)["uncertainty"]["auroc"]["value"] == 1.0
