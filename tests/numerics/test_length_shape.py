"""Shapes of a length prior, by hand."""

from __future__ import annotations

from math import e, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.errors import SettingsError
from rewardsmith.numerics.length_shape import shaped_length


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        # n = 0, 50, 150 with s = 50: n/s = 0, 1, 3.
        ("linear", [0.0, 1.0, 3.0]),
        ("log", [0.0, log(2), log(4)]),
        ("saturating", [0.0, 1 - 1 / e, 1 - e**-3]),
        # t = 100: |n − t| = 100, 50, 50.
        ("distance", [-2.0, -1.0, -1.0]),
    ],
)
def test_by_hand(shape, wanted):
    values = shaped_length(np.array([0.0, 50.0, 150.0]), shape=shape, scale=50.0, target=100.0)
    np.testing.assert_allclose(values, wanted, rtol=1e-12)


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=20), st.sampled_from(["linear", "log", "saturating"]))
def test_three_shapes_rise_with_the_length(lengths, shape):
    values = shaped_length(np.sort(np.array(lengths)), shape=shape, scale=37.0)
    assert (np.diff(values) >= 0).all()


def test_the_unit_does_not_matter_where_scale_and_target_change_with_it():
    lengths = np.array([3.0, 40.0, 500.0])
    for shape in ("linear", "log", "saturating", "distance"):
        one = shaped_length(lengths, shape=shape, scale=10.0, target=41.0)
        np.testing.assert_allclose(shaped_length(4 * lengths, shape=shape, scale=40.0, target=164.0), one)


def test_a_scale_must_be_above_0():
    for scale in (0.0, -1.0):
        with pytest.raises(SettingsError, match="scale"):
            shaped_length(np.ones(1), shape="linear", scale=scale)
