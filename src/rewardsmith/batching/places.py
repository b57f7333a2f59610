"""Where the tokens of sequences lie once they share a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from rewardsmith.batching.prefixes import NO_PARENT, Row


def places_in(row: Row, places: Sequence[Int64[np.ndarray, " place"]]) -> list[Int64[np.ndarray, " place"]]:
    """Places in `row` of chosen tokens of its sequences.

    A sequence's tokens lie in the segment that it ends with and in the ancestors of that one, so each place is looked
    up in the segments on that way, whose positions rise from 0.

    Args:
        places: One array a sequence, in the order that the row was made from: places in the sequence by itself.
    """
    ends = np.array([segment.end for segment in row.segments])
    return [
        _along(row, int(np.searchsorted(ends, end, side="right")), own)
        for end, own in zip(row.ends, places, strict=True)
    ]


def _along(row: Row, last: int, places: Int64[np.ndarray, " place"]) -> Int64[np.ndarray, " place"]:
    way = [last]
    while (parent := row.segments[way[-1]].parent) != NO_PARENT:
        way.append(parent)
    way.reverse()
    positions = np.array([row.segments[number].position for number in way])
    starts = np.array([row.segments[number].start for number in way])
    which = np.searchsorted(positions, places, side="right") - 1
    return (starts[which] + places - positions[which]).astype(np.int64)
