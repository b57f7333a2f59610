"""Padding, by hand and as a property."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.batching.collate import pad
from rewardsmith.core.errors import DataError


def test_right() -> None:
    padded = pad([[5, 6, 7], [8]], pad_id=0)
    assert padded.input_ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert padded.attention_mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert padded.position_ids.tolist() == [[0, 1, 2], [0, 0, 0]]


def test_left() -> None:
    padded = pad([[5, 6, 7], [8, 9]], pad_id=1, side="left")
    assert padded.input_ids.tolist() == [[5, 6, 7], [1, 8, 9]]
    assert padded.attention_mask.tolist() == [[1, 1, 1], [0, 1, 1]]
    assert padded.position_ids.tolist() == [[0, 1, 2], [0, 0, 1]]


@given(
    sequences=st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=13), min_size=1, max_size=7),
    side=st.sampled_from(["left", "right"]),
)
def test_the_mask_finds_every_token_again(sequences: list[list[int]], side: str) -> None:
    # The pad id occurs in the sequences too: only the mask tells.
    padded = pad([np.array(sequence, np.int32) for sequence in sequences], pad_id=7, side=side)  # type: ignore[arg-type]
    for row, sequence in enumerate(sequences):
        is_token = padded.attention_mask[row] == 1
        assert padded.input_ids[row][is_token].tolist() == sequence
        assert padded.position_ids[row][is_token].tolist() == list(range(len(sequence)))
        assert (padded.input_ids[row][~is_token] == 7).all()


@pytest.mark.parametrize("sequences", [[], [[1], []]])
def test_nothing_to_read_is_refused(sequences: list[list[int]]) -> None:
    with pytest.raises(DataError):
        pad(sequences, pad_id=0)
