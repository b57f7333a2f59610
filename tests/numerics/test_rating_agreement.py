"""α of numbers on a scale: by hand, against the library on plain data, and its intervals."""

from __future__ import annotations

import math

import krippendorff
import numpy as np
import pytest

from rewardsmith.core.errors import DataError
from rewardsmith.numerics.rating_agreement import rating_alpha


def test_by_hand():
    # Items (1, 1) and (1, 3). Observed: mean squared distance within items (0 + 4) / 2 = 2. Expected: of the values
    # 1, 1, 1, 3 the ordered pairs of different ones: 6 of 12 are (1, 3), 4 · 6 / 12 = 2. α = 1 − 2/2 = 0.
    assert rating_alpha([(1, 1), (1, 3)], level="interval").value == pytest.approx(0.0)
    # Items (1, 1) and (3, 3): nothing observed, so α = 1.
    assert rating_alpha([(1, 1), (3, 3)], level="interval").value == pytest.approx(1.0)


@pytest.mark.parametrize("level", ["ordinal", "interval"])
def test_is_the_librarys_on_a_matrix(level: str):
    rng = np.random.default_rng(3)
    truth = rng.integers(1, 6, size=37)
    matrix = np.clip(truth + rng.integers(-1, 2, size=(3, 37)), 1, 5).astype(float)
    matrix[rng.random(matrix.shape) < 0.2] = np.nan
    values = [[int(value) for value in column if not math.isnan(value)] for column in matrix.T]

    estimate = rating_alpha(values, level=level)

    assert estimate.value == pytest.approx(krippendorff.alpha(matrix, level_of_measurement=level), abs=1e-9)
    assert estimate.low < estimate.value < estimate.high
    assert estimate.n == sum(len(each) >= 2 for each in values)


def test_a_near_miss_is_less_of_a_quarrel():
    near = [(1, 2), (2, 1), (4, 5), (5, 4), (3, 3)]
    far = [(1, 5), (5, 1), (2, 4), (4, 2), (3, 3)]

    assert rating_alpha(near).value > 0.5 > rating_alpha(far).value


def test_nothing_to_compare_is_not_a_number():
    assert math.isnan(rating_alpha([(1,), ()]).value)
    assert math.isnan(rating_alpha([(2, 2), (2, 2)]).value)


def test_groups_are_one_an_item():
    with pytest.raises(DataError, match="groups differ"):
        rating_alpha([(1, 2)], ["a", "b"])
