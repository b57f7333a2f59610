"""Conversations beyond the limit."""

from __future__ import annotations

import numpy as np
import pytest

from rewardsmith.core.errors import OverlengthError
from rewardsmith.scoring.limits import within

SEQUENCES = [np.array([1, 2, 3, 4, 5], np.int32), np.array([1, 9], np.int32)]


def test_truncate_keeps_the_bos_and_the_end() -> None:
    kept, n_cut = within(SEQUENCES, max_tokens=3, overlength="truncate", bos_id=1)
    assert [ids.tolist() for ids in kept] == [[1, 4, 5], [1, 9]]
    assert n_cut == 1


def test_truncate_without_a_bos() -> None:
    kept, _ = within(SEQUENCES, max_tokens=3, overlength="truncate", bos_id=None)
    assert kept[0].tolist() == [3, 4, 5]


def test_raise_names_the_conversation() -> None:
    with pytest.raises(OverlengthError, match=r"conversation 7: .*at most 4 tokens; got 5 tokens"):
        within(SEQUENCES, max_tokens=4, overlength="raise", bos_id=1, first=7)


@pytest.mark.parametrize("max_tokens", [None, 5])
def test_what_fits_stays(max_tokens: int | None) -> None:
    kept, n_cut = within(SEQUENCES, max_tokens=max_tokens, overlength="raise", bos_id=1)
    assert [ids.tolist() for ids in kept] == [[1, 2, 3, 4, 5], [1, 9]]
    assert n_cut == 0
