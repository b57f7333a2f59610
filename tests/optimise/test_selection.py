"""Which response is taken, on numbers done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from rewardsmith.core.errors import DataError, ModelError
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.numerics.combination import Rule
from rewardsmith.optimise.selection import Pick, pick, selection_values

NAN = float("nan")


def _scores(*members: list[float]) -> Scores:
    table = np.array(members, dtype=np.float32)
    # What an ensemble of the rule `worst` would say.
    return Scores(table.min(axis=0), Provenance("m", "t"), table.std(axis=0), table)


def test_each_rule_on_three_members():
    # Response 0: members 1, 2, 3 (variance 2/3). Response 1: all 1.8.
    scores = _scores([1.0, 1.8], [2.0, 1.8], [3.0, 1.8])
    by_hand: dict[Rule, list[float]] = {"mean": [2.0, 1.8], "worst": [1.0, 1.8], "penalised": [2 - 0.5 * 2 / 3, 1.8]}
    for rule, wanted in by_hand.items():
        np.testing.assert_allclose(selection_values(scores, rule, weight=0.5), wanted, rtol=1e-6)
    assert [pick(selection_values(scores, rule)).place for rule in by_hand] == [0, 1, 1]
    np.testing.assert_allclose(selection_values(scores, "penalised", weight=0.0), [2.0, 1.8], rtol=1e-6)


def test_a_single_model_has_only_its_reward():
    scores = Scores(np.array([1, 3, 2], dtype=np.float32), Provenance("m", "t"))
    assert selection_values(scores, "mean").tolist() == [1, 3, 2]
    for rule in ("worst", "penalised"):
        with pytest.raises(ModelError, match="ensemble"):
            selection_values(scores, rule)


def test_ties_go_by_the_named_rule():
    values = np.array([1.0, 3.0, NAN, 3.0, 2.0])
    assert pick(values) == Pick(1, 3.0, 2)
    lots = [pick(values, ties="lot", seed=seed).place for seed in range(400)]
    assert set(lots) == {1, 3}
    assert 140 < lots.count(1) < 260
    assert pick(values, ties="lot", seed=7) == pick(values, ties="lot", seed=7)
    assert pick(np.array([-5.0])) == Pick(0, -5.0, 1)


def test_there_has_to_be_a_value():
    for values in ([], [NAN, NAN], [1.0, float("inf")]):
        with pytest.raises(DataError):
            pick(np.array(values, dtype=np.float64))
