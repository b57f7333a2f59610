"""Rows side by side in one long sequence without padding, and which rows go together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from jaxtyping import Int64

from rewardsmith.batching.prefixes import NO_PARENT, Ids, Row, Segment, neighbours
from rewardsmith.core.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Packed:
    """Rows end to end.

    Attributes:
        input_ids: `[token]`.
        position_ids: Position of each token within its own sequences; starts again with each of them.
        segments: `[segment, 3]`: start, end and parent (`NO_PARENT` where there is none) of each run of tokens.
        ends: `[sequence]`, place of each sequence's last token, row by row.
    """

    input_ids: Int64[np.ndarray, " token"]
    position_ids: Int64[np.ndarray, " token"]
    segments: Int64[np.ndarray, "segment 3"]
    ends: Int64[np.ndarray, " sequence"]


def pack(rows: Sequence[Row]) -> Packed:
    """`rows` in their order, at least one."""
    token_starts = [0, *accumulate(len(row.input_ids) for row in rows)]
    segment_starts = [0, *accumulate(len(row.segments) for row in rows)]
    positions: list[np.ndarray] = []
    segments: list[tuple[int, int, int]] = []
    for row, token, segment in zip(rows, token_starts, segment_starts, strict=False):
        for each in row.segments:
            parent = NO_PARENT if each.parent == NO_PARENT else each.parent + segment
            segments.append((each.start + token, each.end + token, parent))
            positions.append(np.arange(each.position, each.position + each.end - each.start))
    return Packed(
        input_ids=np.concatenate([row.input_ids for row in rows]).astype(np.int64),
        position_ids=np.concatenate(positions).astype(np.int64),
        segments=np.array(segments, np.int64),
        ends=np.concatenate([row.ends + token for row, token in zip(rows, token_starts, strict=False)]),
    )


def filler(tokens: int) -> Row:
    """A row that no sequence sees, to follow others: it brings them to a number of tokens that is wanted.

    Its tokens are 0, which every model knows; a padding token may have been added to the tokenizer alone.
    """
    segment = Segment(0, tokens, NO_PARENT, 0)
    return Row(np.zeros(tokens, np.int64), (segment,), np.zeros(0, np.int64))


def fill(sizes: Sequence[int], *, max_tokens: int) -> list[list[int]]:
    """Bins of indices into `sizes`, none above `max_tokens` but for a single item that is larger by itself.

    First-fit decreasing: the largest first, each into the first bin that has room, which takes at most 11/9 of the
    least possible number of bins (Johnson 1973). Items of equal size keep their order, and inside a bin indices rise.

    Raises:
        SettingsError: The budget is below one.
    """
    _require_budget(max_tokens)
    bins: list[list[int]] = []
    room: list[int] = []
    for index in sorted(range(len(sizes)), key=lambda index: -sizes[index]):
        place = next((number for number, free in enumerate(room) if free >= sizes[index]), None)
        if place is None:
            bins.append([index])
            room.append(max_tokens - sizes[index])
        else:
            bins[place].append(index)
            room[place] -= sizes[index]
    return [sorted(each) for each in bins]


def fill_shared(sequences: Sequence[Ids], *, max_tokens: int, max_sequences: int = 256) -> list[list[int]]:
    """Bins of indices into `sequences`, those with common beginnings together, where common tokens count once.

    The sequences are sorted, so that a candidate stands beside the other candidates of its prompt, and cut where the
    next one would not fit. A bin's cost is exact where all that is shared is worth a segment, else a little low.

    Args:
        max_sequences: Most in a bin; it bounds how deep common beginnings can nest.

    Raises:
        SettingsError: The budget is below one.
    """
    _require_budget(max_tokens)
    order, overlaps = neighbours(sequences)
    bins: list[list[int]] = []
    used = 0
    for index, overlap in zip(order, [0, *overlaps], strict=True):
        cost = used + len(sequences[index]) - overlap
        if bins and cost <= max_tokens and len(bins[-1]) < max_sequences:
            bins[-1].append(index)
            used = cost
        else:
            bins.append([index])
            used = len(sequences[index])
    return bins


def _require_budget(max_tokens: int) -> None:
    if max_tokens < 1:
        raise SettingsError("a token budget is below one", wanted="at least 1", got=max_tokens)
