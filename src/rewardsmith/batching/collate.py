"""Sequences of token ids to one rectangle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int64

from rewardsmith.core.errors import DataError


@dataclass(frozen=True, slots=True)
class Padded:
    """A batch.

    Attributes:
        input_ids: `[sequence, token]`.
        attention_mask: 1 where a token stands, 0 where padding does. The only thing that tells them apart: the pad id
            may occur in a text.
        position_ids: 0, 1, 2, … over each sequence's own tokens, wherever it starts; 0 under padding.
    """

    input_ids: Int64[np.ndarray, "sequence token"]
    attention_mask: Int64[np.ndarray, "sequence token"]
    position_ids: Int64[np.ndarray, "sequence token"]


def pad(
    sequences: Sequence[Sequence[int] | np.ndarray], *, pad_id: int, side: Literal["left", "right"] = "right"
) -> Padded:
    """Fill `sequences` up to the longest one.

    Raises:
        DataError: There is no sequence, or one of them has no token (a reward needs a last token).
    """
    if not sequences:
        raise DataError("an empty batch", wanted="at least one sequence")
    lengths = [len(sequence) for sequence in sequences]
    if min(lengths) == 0:
        raise DataError("an empty sequence", wanted="at least one token", where=f"sequence {lengths.index(0)}")
    shape = (len(sequences), max(lengths))
    input_ids = np.full(shape, pad_id, dtype=np.int64)
    attention_mask = np.zeros(shape, dtype=np.int64)
    position_ids = np.zeros(shape, dtype=np.int64)
    for row, (sequence, length) in enumerate(zip(sequences, lengths, strict=True)):
        place = slice(0, length) if side == "right" else slice(shape[1] - length, shape[1])
        input_ids[row, place] = sequence
        attention_mask[row, place] = 1
        position_ids[row, place] = np.arange(length)
    return Padded(input_ids, attention_mask, position_ids)
