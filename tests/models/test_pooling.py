"""Pooling goes by the mask, by hand."""

from __future__ import annotations

import pytest
import torch

from rewardsmith.core.errors import ModelError
from rewardsmith.models.pooling import check_mask, last_token, left_aligned, mean

# Two sequences, three places, hidden size 2.
STATES = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [[7.0, 8.0], [9.0, 10.0], [11.0, 12.0]]])
RIGHT = torch.tensor([[1, 1, 0], [1, 1, 1]])
LEFT = torch.tensor([[0, 1, 1], [1, 1, 1]])


def test_last_token() -> None:
    assert last_token(STATES, RIGHT).tolist() == [[3, 4], [11, 12]]
    assert last_token(STATES, LEFT).tolist() == [[5, 6], [11, 12]]


def test_mean() -> None:
    assert mean(STATES, RIGHT).tolist() == [[2, 3], [9, 10]]
    assert mean(STATES, LEFT).tolist() == [[4, 5], [9, 10]]


def test_mean_does_not_read_what_is_under_padding() -> None:
    states = STATES.clone()
    states[0, 2] = float("nan")
    assert mean(states, RIGHT).tolist() == [[2, 3], [9, 10]]


def test_left_aligned_moves_tokens_to_the_start_in_order() -> None:
    ids = torch.tensor([[0, 5, 6], [7, 0, 8]])
    mask = torch.tensor([[0, 1, 1], [1, 0, 1]])
    assert left_aligned(ids, mask).tolist() == [[5, 6, 0], [7, 8, 0]]
    assert left_aligned(mask, mask).tolist() == [[1, 1, 0], [1, 1, 0]]


def test_shapes_are_checked() -> None:
    with pytest.raises(ModelError, match="one shape"):
        check_mask(torch.ones(2, 3), torch.ones(2, 2))
