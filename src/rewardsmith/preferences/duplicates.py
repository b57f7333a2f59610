"""Rows that say the same as an earlier one, and rows that say the opposite."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from rewardsmith.preferences.keys import KeyTable


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Which rows repeat or contradict others. The two masks share no row.

    Attributes:
        repeats: Same prompt, responses and label as an earlier row.
        contradicts: Same prompt and responses as another row, with at least one pair the other way round. Both
            rows are marked: which one is right is not for us to say.
        first: For a marked row, an earliest row that it repeats or contradicts; else -1.
    """

    repeats: Bool[np.ndarray, " row"]
    contradicts: Bool[np.ndarray, " row"]
    first: Int64[np.ndarray, " row"]


def find_duplicates(keys: KeyTable) -> Duplicates:
    """Exact duplicates and contradictions among all rows.

    A tie and a preference for the same responses don't contradict each other; both stay.
    """
    rows = len(keys)
    repeats, contradicts = np.zeros(rows, bool), np.zeros(rows, bool)
    first = np.full(rows, -1, np.int64)
    for members in _classes(keys):
        opponents = _opponents(keys, members)
        contradicts[members[opponents >= 0]] = True
        first[members] = np.where(opponents >= 0, opponents, first[members])
        _, earliest, kind = np.unique(keys.label[members], return_index=True, return_inverse=True)
        original = members[earliest[kind]]
        again = (original != members) & (opponents < 0)
        repeats[members[again]] = True
        first[members[again]] = original[again]
    return Duplicates(repeats, contradicts, first)


def _classes(keys: KeyTable) -> list[Int64[np.ndarray, " member"]]:
    """The rows of each content that occurs more than once, ascending."""
    order = np.argsort(keys.content, kind="stable")
    content = keys.content[order]
    starts = np.flatnonzero(np.r_[True, content[1:] != content[:-1]]) if len(content) else np.zeros(0, np.int64)
    sizes = np.diff(np.r_[starts, len(content)])
    return [order[start : start + size] for start, size in zip(starts, sizes, strict=True) if size > 1]


def _opponents(keys: KeyTable, members: Int64[np.ndarray, " member"]) -> Int64[np.ndarray, " member"]:
    """For each member the first other one that has a pair the other way round, or -1."""
    # Few distinct labels stand behind many members, so the comparison is between labels.
    labels, earliest, kind = np.unique(keys.orientations[members], axis=0, return_index=True, return_inverse=True)
    wins, losses = labels[:, 0], labels[:, 1]
    opposed = ((wins[:, None] & losses[None, :]) | (losses[:, None] & wins[None, :])) != 0
    first_row = np.where(opposed, members[earliest][None, :], np.iinfo(np.int64).max).min(axis=1)
    per_label = np.where(opposed.any(axis=1), first_row, -1)
    return per_label[kind.reshape(-1)]
