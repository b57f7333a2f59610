"""What becomes of each preference that passed the checks: decided on digests, for the whole data set at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from rewardsmith.preferences import subsampling
from rewardsmith.preferences.duplicates import find_duplicates
from rewardsmith.preferences.keys import KeyTable
from rewardsmith.preferences.near_duplicates import build_index, search
from rewardsmith.preferences.outcome import Reason
from rewardsmith.preferences.settings import DataSettings

_REASONS = tuple(Reason)
_TOPIC_SAMPLE = 20_000
"""Prompts that the topics are fitted on; the others are assigned to them."""

Fate = tuple[int, Reason, str]
"""Row, why it is not used, detail."""


class Prompts(Protocol):
    """The prompt texts of the preferences, by row."""

    def batches(self, rows: Int64[np.ndarray, " row"]) -> Iterator[list[str]]:
        """Texts of `rows` (ascending), batch by batch."""
        ...

    def text(self, row: int) -> str:
        """Text of one row."""
        ...


class Fates:
    """Reason and detail of each row; a row keeps the first reason that it is given."""

    def __init__(self, rows: int) -> None:
        self._codes: UInt8[np.ndarray, " row"] = np.zeros(rows, np.uint8)
        self._details = np.full(rows, "", dtype=object)

    @property
    def kept(self) -> Bool[np.ndarray, " row"]:
        """Rows without a reason against them."""
        return self._codes == 0

    def apply(self, fates: Iterable[Fate]) -> None:
        """Write down reasons."""
        for row, reason, detail in fates:
            if self._codes[row] == 0:
                self._codes[row] = _REASONS.index(reason) + 1
                self._details[row] = detail

    def left_out(self, start: int, end: int) -> Iterator[Fate]:
        """The rows from `start` to before `end` that are not kept, in order."""
        for row in start + np.flatnonzero(self._codes[start:end]):
            yield int(row), _REASONS[self._codes[row] - 1], self._details[row]


def duplicate_fates(keys: KeyTable) -> Iterator[Fate]:
    """Exact duplicates and contradictions."""
    found = find_duplicates(keys)
    for row in np.flatnonzero(found.contradicts):
        yield int(row), Reason.CONTRADICTION, f"opposite label at {keys.place(int(found.first[row]))}"
    for row in np.flatnonzero(found.repeats):
        yield int(row), Reason.EXACT_DUPLICATE, f"same as {keys.place(int(found.first[row]))}"


def leak_fates(
    keys: KeyTable,
    prompts: Prompts,
    *,
    heldout: Bool[np.ndarray, " row"],
    kept: Bool[np.ndarray, " row"],
    similarity: float | None,
) -> Iterator[Fate]:
    """Training rows whose prompt repeats (or, with a `similarity`, nearly repeats) that of a kept held-out row.

    Empty prompts are left out: they repeat nothing.
    """
    named = kept & (keys.prompt != 0)
    heldout_prompts, heldout_rows = np.unique(keys.prompt[named & heldout], return_index=True)
    heldout_rows = np.flatnonzero(named & heldout)[heldout_rows]
    train_rows = np.flatnonzero(named & ~heldout)
    same = np.isin(keys.prompt[train_rows], heldout_prompts)
    for row in train_rows[same]:
        other = heldout_rows[np.searchsorted(heldout_prompts, keys.prompt[row])]
        yield int(row), Reason.NEAR_HELDOUT, f"same prompt as held-out {keys.place(int(other))}"
    if similarity is not None:
        yield from _near_fates(keys, prompts, np.sort(heldout_rows), train_rows[~same], similarity)


def _near_fates(
    keys: KeyTable,
    prompts: Prompts,
    heldout_rows: Int64[np.ndarray, " heldout"],
    train_rows: Int64[np.ndarray, " train"],
    similarity: float,
) -> Iterator[Fate]:
    # Each distinct prompt is compared once, however many rows it has.
    distinct, first, which = np.unique(keys.prompt[train_rows], return_index=True, return_inverse=True)
    order = np.argsort(first)
    compared = train_rows[first[order]]
    members = np.argsort(which, kind="stable")
    bounds = np.searchsorted(which[members], np.arange(len(distinct) + 1))
    index = build_index(lambda: prompts.batches(heldout_rows), similarity)
    found = search(index, prompts.batches(compared), indexed_text=lambda place: prompts.text(int(heldout_rows[place])))
    for place, other, value in found:
        detail = f"similarity {value:.2f} to held-out {keys.place(int(heldout_rows[other]))}"
        cls = int(order[place])
        for member in members[bounds[cls] : bounds[cls + 1]]:
            yield int(train_rows[member]), Reason.NEAR_HELDOUT, detail


def subsample_fates(
    keys: KeyTable, settings: DataSettings, *, kept: Bool[np.ndarray, " row"], topics: Int64[np.ndarray, " row"] | None
) -> Iterator[Fate]:
    """Rows left out for equal topics, then for equal sources, then for the limit."""
    steps: list[tuple[str, Callable[[Bool[np.ndarray, " row"]], Bool[np.ndarray, " row"]]]] = []
    if topics is not None:
        steps.append(("topics made equal", lambda mask: subsampling.even_out(topics, keys.lottery, mask)))
    if settings.balance_sources:
        steps.append(("sources made equal", lambda mask: subsampling.even_out(keys.source, keys.lottery, mask)))
    limit = settings.limit
    if limit is not None:
        steps.append((f"limit of {limit}", lambda mask: subsampling.at_most(limit, keys.lottery, mask)))
    present = kept
    for detail, step in steps:
        remaining = step(present)
        for row in np.flatnonzero(present & ~remaining):
            yield int(row), Reason.SUBSAMPLED, detail
        present = remaining


def assign_topics(
    keys: KeyTable, prompts: Prompts, *, kept: Bool[np.ndarray, " row"], topics: int
) -> Int64[np.ndarray, " row"]:
    """Topic of each kept row (−1 for the others)."""
    rows = np.flatnonzero(kept)
    sample = np.sort(rows[np.argsort(keys.lottery[rows], kind="stable")[:_TOPIC_SAMPLE]])
    texts = [text for batch in prompts.batches(sample) for text in batch]
    labels = np.full(len(keys), -1, np.int64)
    labels[rows] = subsampling.predict_topics(subsampling.fit_topics(texts, topics), prompts.batches(rows))
    return labels
