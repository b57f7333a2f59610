"""Scales by source and attribute, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.preferences.ratings.rating import Rating
from rewardsmith.preferences.ratings.scales import (
    Scale,
    attributes_in,
    require_attributes,
    scales_of,
    signs_of,
    targets,
)


def rated(source: str, **ratings: float) -> Rating:
    return Rating((user("q"),), (assistant("a"),), ratings, id="1", group="g", source=source)


# Naturalness from 1 to 3 in one source, from 2 to 10 in the other; errors in the first only.
RATINGS = [
    rated("a", natural=1, errors=0),
    rated("a", natural=3, errors=4),
    rated("b", natural=2),
    rated("b", natural=10),
    rated("b", natural=6, always=5),
    rated("b", always=5),
]
SCALES = scales_of(RATINGS, {"errors": -1})


def test_scales_are_those_of_source_and_attribute():
    assert SCALES["a"]["natural"] == Scale(mean=2, std=1, n=2, lowest=1, highest=3)
    assert SCALES["a"]["errors"] == Scale(mean=2, std=2, n=2, lowest=0, highest=4, sign=-1)
    assert SCALES["b"]["natural"].mean == 6
    assert SCALES["b"]["natural"].std == pytest.approx((32 / 3) ** 0.5)
    assert attributes_in(SCALES) == ("errors", "natural")


def test_an_attribute_that_never_varies_has_no_scale():
    assert "always" not in SCALES["b"]
    with pytest.raises(DataError, match="errors, natural"):
        require_attributes(["always"], SCALES, where="here")


def test_targets_turn_the_sign_where_lower_is_better():
    found = targets([*RATINGS[:2], rated("a"), rated("c", natural=3)], ["natural", "errors"], SCALES)

    nan = float("nan")
    np.testing.assert_array_equal(found, [[-1, 1], [1, -1], [nan, nan], [nan, nan]])


def test_the_same_number_means_another_thing_in_another_source():
    found = targets([rated("a", natural=3), rated("b", natural=3)], ["natural"], SCALES)

    assert found[0, 0] == 1
    assert found[1, 0] < 0


@pytest.mark.parametrize("sign", [1, -1])
def test_a_standardised_value_goes_back_to_the_sources_units(sign: int):
    scale = Scale(mean=2.5, std=0.5, n=9, lowest=1, highest=3, sign=sign)

    assert scale.in_source_units(scale.standardised(1.7)) == pytest.approx(1.7)
    assert scale.standardised(3.0) == sign


def test_directions():
    assert signs_of(["helpfulness", "-errors"]) == {"helpfulness": 1, "errors": -1}
    for bad in (["errors", "-errors"], ["-"], ["a", "a"]):
        with pytest.raises(SettingsError, match="distinct names"):
            signs_of(bad)
