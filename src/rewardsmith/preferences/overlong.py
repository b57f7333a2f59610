"""Responses that were too long by themselves: the draft's rows without them, and how many went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from rewardsmith.preferences import columns
from rewardsmith.preferences.comparisons import between

KeptResponses = Mapping[int, tuple[int, ...]]
"""Row → the responses that are left of it. Rows that lost none are not named."""


class OverlongCount:
    """Counts what preferences that stayed have lost to the limit of tokens."""

    def __init__(self) -> None:
        self._preferences = self._responses = self._pairs = 0

    def add(self, before: pa.RecordBatch, after: pa.RecordBatch, rows: Sequence[int]) -> None:
        """Count the rows at `rows`, which are the same in both batches but for what they lost."""
        indices = pa.array(rows, pa.int64())
        self._preferences += len(rows)
        self._responses += _items(before, "responses", indices) - _items(after, "responses", indices)
        self._pairs += _items(before, "pairs", indices) - _items(after, "pairs", indices)

    def to_json(self) -> dict[str, int]:
        """Preferences that lost a response; responses that went, with those left in no pair; pairs that went."""
        return {"preferences": self._preferences, "responses": self._responses, "pairs": self._pairs}


def without_overlong(batch: pa.RecordBatch, kept: KeptResponses) -> pa.RecordBatch:
    """`batch` (columns of `TEXT_SCHEMA`, or more) with only the responses `kept`, and the pairs between them."""
    if not kept:
        return batch
    responses, pairs = batch.column("responses").to_pylist(), batch.column("pairs").to_pylist()
    for row, used in kept.items():
        _, left = between(columns.pairs_from_rows(pairs[row]), used)
        responses[row] = [responses[row][k] for k in used]
        pairs[row] = [pair._asdict() for pair in left]
    changed = {"responses": responses, "pairs": pairs}
    arrays = [
        pa.array(changed[field.name], field.type) if field.name in changed else column
        for field, column in zip(batch.schema, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)


def _items(batch: pa.RecordBatch, name: str, rows: pa.Array) -> int:
    return len(batch.column(name).take(rows).flatten())
