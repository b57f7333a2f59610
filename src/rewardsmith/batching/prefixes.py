"""Sequences that begin alike become one row in which each shared token stands once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Int64, Integer

from rewardsmith.core.errors import DataError

Ids = Integer[np.ndarray, " token"]

NO_PARENT = -1

WORTH_SHARING = 16
"""A segment of its own costs an attention call a block; fewer saved tokens than these do not repay it."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of a row's tokens that belong to the same sequences.

    Attributes:
        start: Place of its first token in the row.
        end: One past its last token.
        parent: Number of the segment that it continues; `NO_PARENT` where it begins a sequence. A token sees its own
            segment (up to itself, in a decoder) and the whole of all ancestors.
        position: Position of its first token within its sequences.
    """

    start: int
    end: int
    parent: int
    position: int


@dataclass(frozen=True, slots=True)
class Row:
    """Some sequences with their shared tokens once: a forest of segments, parents before children.

    Attributes:
        input_ids: `[token]`.
        segments: In the order of their tokens, which they cover without gaps.
        ends: `[sequence]`, place in the row of each sequence's last token. Equal sequences have the same.
    """

    input_ids: Ids
    segments: tuple[Segment, ...]
    ends: Int64[np.ndarray, " sequence"]


def shared(sequences: Sequence[Ids], *, worth_sharing: int = WORTH_SHARING) -> Row:
    """The row of `sequences`, common beginnings found exactly and at every depth.

    What all share (a prompt) comes first, then what some of them share, and so on. A beginning is shared where that
    saves at least `worth_sharing` tokens, counted over all who have it. Depends on nothing but its arguments.

    Raises:
        DataError: There is no sequence, or an empty one.
    """
    _require_tokens(sequences)
    order, overlaps = neighbours(sequences)
    builder = _Builder(sequences, order, overlaps, worth_sharing)
    builder.add(0, len(order), depth=0, parent=NO_PARENT)
    return builder.row()


def neighbours(sequences: Sequence[Ids]) -> tuple[list[int], list[int]]:
    """An order that puts equal beginnings side by side, and how many tokens each has in common with the next one."""
    # Any order of the tokens will do; bytes compare fast.
    keys = [np.asarray(ids).astype(">u4").tobytes() for ids in sequences]
    order = sorted(range(len(sequences)), key=lambda number: keys[number])
    return order, [_overlap(sequences[a], sequences[b]) for a, b in pairwise(order)]


def separate(sequences: Sequence[Ids]) -> Row:
    """The row of `sequences` side by side, nothing shared: what an encoder needs, whose tokens see what follows.

    Raises:
        DataError: There is no sequence, or an empty one.
    """
    _require_tokens(sequences)
    bounds = np.cumsum([0, *(len(ids) for ids in sequences)])
    segments = tuple(Segment(int(start), int(end), NO_PARENT, 0) for start, end in pairwise(bounds))
    return Row(np.concatenate(list(sequences)), segments, bounds[1:] - 1)


class _Builder:
    """Grows a row depth first over the sorted sequences `order`.

    `overlaps[i]` is the length of what the sorted sequences i and i + 1 have in common, so that the sorted sequences
    `first` to `last` have min(overlaps[first : last - 1]) in common.
    """

    def __init__(self, sequences: Sequence[Ids], order: list[int], overlaps: list[int], worth_sharing: int) -> None:
        self._sequences = sequences
        self._order = order
        self._overlaps = overlaps
        self._worth_sharing = worth_sharing
        self._parts: list[Ids] = []
        self._segments: list[Segment] = []
        self._ends = np.zeros(len(sequences), np.int64)

    def row(self) -> Row:
        return Row(np.concatenate(self._parts), tuple(self._segments), self._ends)

    def add(self, first: int, last: int, *, depth: int, parent: int) -> None:
        """Add the sorted sequences `first` to `last`, whose first `depth` tokens end with the segment `parent`."""
        if last - first == 1:
            number = self._order[first]
            segment = self._append(number, depth, len(self._sequences[number]), parent)
            self._ends[number] = self._segments[segment].end - 1
            return
        common = min(self._overlaps[first : last - 1])
        if (common - depth) * (last - first - 1) >= self._worth_sharing:
            parent, depth = self._append(self._order[first], depth, common, parent), common
        bounds = [first, *(i + 1 for i in range(first, last - 1) if self._overlaps[i] == common), last]
        for start, end in pairwise(bounds):
            self.add(start, end, depth=depth, parent=parent)

    def _append(self, number: int, depth: int, until: int, parent: int) -> int:
        """The segment of tokens `depth` to `until` of a sequence; `parent` itself where there are none."""
        if depth == until:
            return parent
        start = self._segments[-1].end if self._segments else 0
        self._parts.append(self._sequences[number][depth:until])
        self._segments.append(Segment(start, start + until - depth, parent, depth))
        return len(self._segments) - 1


def _overlap(a: Ids, b: Ids) -> int:
    """How many first tokens two sequences have in common."""
    length = min(len(a), len(b))
    differs = np.flatnonzero(a[:length] != b[:length])
    return int(differs[0]) if len(differs) else length


def _require_tokens(sequences: Sequence[Ids]) -> None:
    if not sequences:
        raise DataError("an empty row", wanted="at least one sequence")
    lengths = [len(ids) for ids in sequences]
    if min(lengths) == 0:
        raise DataError("an empty sequence", wanted="at least one token", where=f"sequence {lengths.index(0)}")
