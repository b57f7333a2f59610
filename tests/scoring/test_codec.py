"""Values as bytes and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.scoring.codec import Scalar, Vector

FLOATS = st.floats(width=32, allow_nan=False)


def test_bytes_by_hand() -> None:
    """IEEE 754: 1.0 is 3f800000 and −2.0 is c0000000; little-endian."""
    assert Scalar().pack(1.0) == bytes.fromhex("0000803f")
    assert Vector(2).pack(np.array([1.0, -2.0], np.float32)) == bytes.fromhex("0000803f000000c0")
    assert (Scalar().size, Vector(2).size) == (4, 8)


@given(values=st.lists(FLOATS, min_size=1, max_size=9))
def test_there_and_back(values: list[float]) -> None:
    row = np.array(values, np.float32)
    codec = Vector(len(values))
    np.testing.assert_array_equal(codec.unpack(codec.pack(row)), row)
    assert Scalar().unpack(Scalar().pack(values[0])) == values[0]
    assert codec.is_finite(row) == all(Scalar().is_finite(value) for value in values)


def test_what_comes_back_cannot_be_written_to() -> None:
    """It is remembered, and handed out again."""
    found = Vector(2).unpack(Vector(2).pack(np.zeros(2, np.float32)))
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1.0


def test_other_widths_are_refused() -> None:
    with pytest.raises(ValueError, match="wanted 3 numbers"):
        Vector(3).pack(np.zeros(2, np.float32))
