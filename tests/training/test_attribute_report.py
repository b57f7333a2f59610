"""The measures of attribute heads, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rewardsmith.core.conversation import assistant, user
from rewardsmith.preferences.ratings.rating import Rating
from rewardsmith.training.attribute_report import attribute_report, within_prompts


def rated(prompt: str, response: str, *, source: str = "s") -> Rating:
    return Rating((user(prompt),), (assistant(response),), {}, id=response, group=prompt, source=source)


RATINGS = [rated("p", "a"), rated("p", "bbb"), rated("p", "cc"), rated("q", "dddd"), rated("r", "e")]
TARGETS = np.array([1.0, 2.0, 2.0, 3.0, -4.0])


def test_pairs_of_one_prompt_whose_ratings_differ():
    """a < bbb is right, a < cc is wrong, bbb and cc are rated alike: 1 of 2."""
    found = within_prompts(RATINGS, predicted=np.array([5.0, 6.0, 4.0, 0.0, 0.0]), targets=TARGETS)

    assert (found.value, found.n) == (0.5, 2)


def test_responses_of_other_sources_are_not_compared():
    ratings = [rated("p", "a"), rated("p", "b", source="t")]

    assert within_prompts(ratings, predicted=np.array([1.0, 2.0]), targets=np.array([1.0, 2.0])).n == 0


def test_a_right_and_an_opposite_prediction():
    targets = np.column_stack([TARGETS, TARGETS, np.full(5, np.nan)])
    predicted = np.stack([TARGETS, -TARGETS, TARGETS])

    report = attribute_report(["right", "wrong", "unrated"], RATINGS, predicted=predicted, targets=targets)

    assert report["right"]["spearman"]["value"] == pytest.approx(1)
    assert report["right"]["r_squared"]["value"] == 1
    assert report["right"]["accuracy_within_prompts"]["value"] == 1
    assert report["wrong"]["spearman"]["value"] == pytest.approx(-1)
    assert report["wrong"]["r_squared"]["value"] == -3
    assert report["wrong"]["accuracy_within_prompts"]["value"] == 0
    # Lengths 1, 3, 2, 4, 1 against ratings 1, 2, 2, 3, −4: ranks 1.5, 4, 3, 5, 1.5 and 2, 3.5, 3.5, 5, 1.
    lengths, ranks = np.array([1.5, 4, 3, 5, 1.5]), np.array([2, 3.5, 3.5, 5, 1])
    assert report["right"]["spearman_of_length"]["value"] == pytest.approx(np.corrcoef(lengths, ranks)[0, 1])
    assert report["unrated"]["spearman"] == {"value": None, "low": None, "high": None, "n": 0, "groups": 0}
    assert not any(isinstance(v, float) and math.isnan(v) for each in report["unrated"].values() for v in each.values())
