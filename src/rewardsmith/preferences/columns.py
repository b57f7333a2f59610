"""Preferences as Arrow columns, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from jaxtyping import Int32

from rewardsmith.core.conversation import Conversation, Message
from rewardsmith.core.preference import Pair, Preference

PAIR_TYPE = pa.struct(
    [
        pa.field("chosen", pa.int32(), nullable=False),
        pa.field("rejected", pa.int32(), nullable=False),
        pa.field("prob_chosen", pa.float64(), nullable=False),
        pa.field("margin", pa.float64()),
        pa.field("weight", pa.float64(), nullable=False),
        pa.field("tie", pa.bool_(), nullable=False),
    ]
)

TEXT_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("group", pa.string()),
        ("source", pa.string()),
        ("file", pa.string()),
        ("line", pa.int64()),
        ("prompt", pa.string()),
        ("responses", pa.list_(pa.string())),
        ("pairs", pa.list_(PAIR_TYPE)),
        ("votes", pa.list_(pa.string())),
        ("raters", pa.list_(pa.string())),
        ("meta", pa.string()),
    ]
)
"""One preference a row; `prompt`, each of `responses` and `meta` are JSON."""

TOKEN_SCHEMA = pa.schema([("prefix", pa.list_(pa.int32())), ("tails", pa.list_(pa.list_(pa.int32())))])
"""Token ids that all responses share, and what follows, one list a response. Null where the row was not encoded."""

SCHEMA = pa.schema([*TEXT_SCHEMA, *TOKEN_SCHEMA])
"""A split's file."""


def to_json(value: Any) -> str:
    """JSON, on one line; what JSON does not know is written as text."""
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        # orjson refuses lone surrogates and integers beyond 64 bits; the standard library escapes and writes them.
        return json.dumps(value, default=str, ensure_ascii=True)


def from_json(text: str) -> Any:
    """The inverse of `to_json`."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def conversation_json(conversation: Conversation) -> str:
    """The JSON list of `{"role", "content"}`."""
    return to_json([{"role": role, "content": content} for role, content in conversation])


def conversation_from_json(text: str) -> Conversation:
    """The inverse of `conversation_json`."""
    return tuple(Message(turn["role"], turn["content"]) for turn in from_json(text))


def text_batch(preferences: Sequence[Preference], files: Sequence[str], lines: Sequence[int]) -> pa.RecordBatch:
    """Rows of `TEXT_SCHEMA`."""
    columns = {
        "id": [_storable(p.id) for p in preferences],
        "group": [_storable(p.group) for p in preferences],
        "source": [_storable(p.source) for p in preferences],
        "file": [_storable(name) for name in files],
        "line": list(lines),
        "prompt": [conversation_json(p.prompt) for p in preferences],
        "responses": [[conversation_json(response) for response in p.responses] for p in preferences],
        "votes": [list(p.votes) for p in preferences],
        "raters": [[_storable(rater) for rater in p.raters] for p in preferences],
        "meta": [to_json(dict(p.meta)) for p in preferences],
    }
    pairs = _pair_array([p.pairs for p in preferences])
    arrays = [pairs if f.name == "pairs" else pa.array(columns[f.name], f.type) for f in TEXT_SCHEMA]
    return pa.RecordBatch.from_arrays(arrays, schema=TEXT_SCHEMA)


def token_batch(
    encoded: Sequence[tuple[Int32[np.ndarray, " prefix"], Sequence[Int32[np.ndarray, " tail"]]] | None],
) -> pa.RecordBatch:
    """Rows of `TOKEN_SCHEMA`; null for `None`."""
    absent = pa.array([item is None for item in encoded], pa.bool_())
    prefixes = [item[0] for item in encoded if item is not None]
    prefix = _lists(_flat(prefixes), [0 if item is None else len(item[0]) for item in encoded], mask=absent)
    tails = [tail for item in encoded if item is not None for tail in item[1]]
    inner = _lists(_flat(tails), [len(tail) for tail in tails])
    outer = _lists(inner, [0 if item is None else len(item[1]) for item in encoded], mask=absent)
    return pa.RecordBatch.from_arrays([prefix, outer], schema=TOKEN_SCHEMA)


def preference_from_row(row: Mapping[str, Any]) -> Preference:
    """A `Preference` from one row of `TEXT_SCHEMA` as Python values."""
    return Preference(
        prompt=conversation_from_json(row["prompt"]),
        responses=tuple(conversation_from_json(response) for response in row["responses"]),
        pairs=pairs_from_rows(row["pairs"]),
        id=row["id"],
        group=row["group"],
        source=row["source"],
        votes=tuple(row["votes"]),
        raters=tuple(row["raters"]),
        meta=from_json(row["meta"]),
    )


def pairs_from_rows(rows: Sequence[Mapping[str, Any]]) -> tuple[Pair, ...]:
    """Pairs from their column's Python values."""
    return tuple(Pair(**row) for row in rows)


def _pair_array(pairs: Sequence[Sequence[Pair]]) -> pa.ListArray:
    flat = [pair for some in pairs for pair in some]
    values = zip(*flat, strict=True) if flat else [()] * len(Pair._fields)
    columns = [pa.array(list(column), field.type) for column, field in zip(values, PAIR_TYPE, strict=True)]
    return _lists(pa.StructArray.from_arrays(columns, fields=list(PAIR_TYPE)), [len(some) for some in pairs])


def _lists(values: pa.Array, sizes: Sequence[int], *, mask: pa.Array | None = None) -> pa.ListArray:
    offsets = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, mask=mask)


def _flat(arrays: Sequence[Int32[np.ndarray, " token"]]) -> pa.Array:
    return pa.array(np.concatenate([np.zeros(0, np.int32), *arrays]).astype(np.int32, copy=False), pa.int32())


def _storable(text: str) -> str:
    """Arrow holds UTF-8 only; a lone surrogate in a name is written as its escape."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
