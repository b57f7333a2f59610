"""Scores in parts, and together again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rewardsmith.core.errors import ModelError
from rewardsmith.core.scores import Provenance, Scores, joined

FULL = Scores(
    rewards=np.array([1, 2, 3], np.float32),
    provenance=Provenance("model", "template"),
    spread=np.array([0.1, 0.2, 0.3], np.float32),
    members=np.array([[1, 2, 3], [10, 20, 30]], np.float32),
    steps=(np.array([0.5], np.float32), np.array([], np.float32), np.array([0.1, 0.2], np.float32)),
    attributes={"clear": np.array([7, 8, 9], np.float32)},
    rationales=("a", "b", "c"),
)
PLAIN = Scores(np.array([1, 2, 3], np.float32), Provenance("model", "template"))


def require_equal(found: Scores, wanted: Scores) -> None:
    assert found.provenance == wanted.provenance
    assert found.rationales == wanted.rationales
    for one, other in ((found.rewards, wanted.rewards), (found.spread, wanted.spread), (found.members, wanted.members)):
        np.testing.assert_array_equal(one, other)  # type: ignore[arg-type]
        assert one is None or one.dtype == np.float32
    assert found.attributes.keys() == wanted.attributes.keys()
    for name, values in wanted.attributes.items():
        np.testing.assert_array_equal(found.attributes[name], values)
    assert [each.tolist() for each in found.steps or ()] == [each.tolist() for each in wanted.steps or ()]


def test_some_of_them_in_another_order() -> None:
    found = FULL.take([2, 0])
    require_equal(
        found,
        Scores(
            rewards=np.array([3, 1], np.float32),
            provenance=FULL.provenance,
            spread=np.array([0.3, 0.1], np.float32),
            members=np.array([[3, 1], [30, 10]], np.float32),
            steps=(np.array([0.1, 0.2], np.float32), np.array([0.5], np.float32)),
            attributes={"clear": np.array([9, 7], np.float32)},
            rationales=("c", "a"),
        ),
    )
    require_equal(FULL.take(slice(1, 3)), FULL.take([1, 2]))
    assert len(FULL.take([])) == 0


@pytest.mark.parametrize("scores", [FULL, PLAIN])
@pytest.mark.parametrize("cut", [0, 1, 3])
def test_parts_are_joined_to_the_whole(scores: Scores, cut: int) -> None:
    require_equal(joined([scores.take(slice(cut)), scores.take(slice(cut, None))]), scores)


def test_scores_of_two_models_are_not_joined() -> None:
    with pytest.raises(ModelError, match="not of one scorer"):
        joined([PLAIN, replace(PLAIN, provenance=Provenance("other", "template"))])
    with pytest.raises(ModelError):
        joined([])
    with pytest.raises(ModelError, match="lack"):
        joined([FULL, PLAIN])
