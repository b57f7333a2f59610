"""The preferences of one split: any of them by number, with its tokens where it was encoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float32, Float64, Int32, Int64

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import DataError
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.preferences import columns
from rewardsmith.preferences.encoding import split_prefix
from rewardsmith.text.encoder import ConversationEncoder

_ENCODED_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class EncodedPreference:
    """Token ids of one preference.

    Attributes:
        prefix: Ids that all responses share (the prompt, and equal first words of the responses).
        tails: What follows, one array a response, none of them empty. Response k is `prefix` then `tails[k]`.
        pairs: Comparisons between the responses.
        number: Of the preference in its table; −1 where it is in none.
        prior: What is added to the reward of each response; nothing where absent.
    """

    prefix: Int32[np.ndarray, " prefix"]
    tails: tuple[Int32[np.ndarray, " tail"], ...]
    pairs: tuple[Pair, ...]
    number: int = -1
    prior: Float32[np.ndarray, " response"] | None = None


@dataclass(frozen=True, slots=True)
class PairColumns:
    """All pairs of a table, one array entry a pair, those of a preference together.

    Attributes:
        preference: Number of the pair's preference in the table.
        chosen: Number of the chosen response among the preference's; likewise `rejected`.
        has_margin: The data say how much better the chosen one is.
    """

    preference: Int64[np.ndarray, " pair"]
    chosen: Int64[np.ndarray, " pair"]
    rejected: Int64[np.ndarray, " pair"]
    prob_chosen: Float64[np.ndarray, " pair"]
    has_margin: Bool[np.ndarray, " pair"]
    tie: Bool[np.ndarray, " pair"]


class PreferenceTable(Sequence[Preference]):
    """Preferences over Arrow columns, which may be memory-mapped; rows become objects when they are asked for.

    Args:
        data: Columns of `columns.SCHEMA` (or of `TEXT_SCHEMA`: then there are no tokens).
        rows: The rows of `data` that the table holds, in order; all of them where absent.
    """

    def __init__(self, data: pa.Table, rows: Int64[np.ndarray, " preference"] | None = None) -> None:
        self._data = data
        self._rows = np.arange(data.num_rows, dtype=np.int64) if rows is None else rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Preference:  # type: ignore[override]
        row = self._row(index)
        names = columns.TEXT_SCHEMA.names
        return columns.preference_from_row({name: self._data.column(name)[row].as_py() for name in names})

    def __iter__(self) -> Iterator[Preference]:
        return (self[index] for index in range(len(self)))

    def encoded(self, index: int) -> EncodedPreference:
        """The tokens of a preference. The arrays are views of the file and must not be written to.

        Raises:
            DataError: The table was made without an encoder.
        """
        row = self._row(index)
        prefix = self._tokens("prefix")[row].values
        tails = self._tokens("tails")[row].values
        starts = tails.offsets.to_numpy()
        flat = tails.values.to_numpy()
        return EncodedPreference(
            prefix=prefix.to_numpy(),
            tails=tuple(flat[start:end] for start, end in pairwise(starts)),
            pairs=columns.pairs_from_rows(self._data.column("pairs")[row].as_py()),
            number=index,
        )

    @cached_property
    def lengths(self) -> Int64[np.ndarray, " preference"]:
        """Tokens of each preference with the shared ones counted once: prefix plus all tails."""
        return (self._prefix_lengths + self._per_tail(np.add))[self._rows]

    @cached_property
    def longest(self) -> Int64[np.ndarray, " preference"]:
        """Tokens of each preference's longest conversation: prefix plus the longest tail."""
        return (self._prefix_lengths + self._per_tail(np.maximum))[self._rows]

    @cached_property
    def ids(self) -> list[str]:
        """Name of each preference."""
        return self._strings("id")

    @cached_property
    def groups(self) -> list[str]:
        """Prompt group of each preference."""
        return self._strings("group")

    @cached_property
    def sources(self) -> list[str]:
        """Source of each preference."""
        return self._strings("source")

    @cached_property
    def response_counts(self) -> Int64[np.ndarray, " preference"]:
        """Number of responses of each preference."""
        return _sizes(self._data.column("responses"))[self._rows]

    def pair_columns(self) -> PairColumns:
        """The pairs of all preferences, without an object a row."""
        lists = self._data.column("pairs").take(pa.array(self._rows)).combine_chunks()
        pairs = lists.flatten()
        return PairColumns(
            preference=np.repeat(np.arange(len(self)), _sizes(pa.chunked_array([lists]))),
            chosen=pairs.field("chosen").to_numpy().astype(np.int64),
            rejected=pairs.field("rejected").to_numpy().astype(np.int64),
            prob_chosen=pairs.field("prob_chosen").to_numpy(),
            has_margin=pairs.field("margin").is_valid().to_numpy(zero_copy_only=False),
            tie=pairs.field("tie").to_numpy(zero_copy_only=False),
        )

    def place(self, index: int) -> str:
        """`file:line` that a preference was read from."""
        row = self._row(index)
        file, line = (self._data.column(name)[row].as_py() for name in ("file", "line"))
        return f"{file}:{line}"

    def prompt_batches(self, size: int = 1024) -> Iterator[tuple[int, list[tuple[str, Conversation]]]]:
        """Group and prompt of all preferences, `size` at a time, each batch with the number of its first."""
        for start in range(0, len(self), size):
            rows = pa.array(self._rows[start : start + size])
            groups = self._data.column("group").take(rows).to_pylist()
            prompts = map(columns.conversation_from_json, self._data.column("prompt").take(rows).to_pylist())
            yield start, list(zip(groups, prompts, strict=True))

    def select(self, indices: Iterable[int] | Int64[np.ndarray, " selected"]) -> PreferenceTable:
        """The preferences at `indices`, in that order, over the same data."""
        chosen = np.fromiter(indices, np.int64)
        return PreferenceTable(self._data, self._rows[chosen])

    @cached_property
    def _prefix_lengths(self) -> Int64[np.ndarray, " row"]:
        return _sizes(self._tokens("prefix"))

    def _per_tail(self, combine: np.ufunc) -> Int64[np.ndarray, " row"]:
        parts = [np.zeros(0, np.int64)]
        for chunk in self._tokens("tails").chunks:
            if len(chunk) == 0:
                continue
            outer = np.asarray(chunk.offsets)
            inner = np.diff(np.asarray(chunk.values.offsets))
            # Every preference has at least two tails, so no segment of the reduction is empty.
            parts.append(combine.reduceat(inner[: outer[-1]], outer[:-1]).astype(np.int64))
        return np.concatenate(parts)

    def _tokens(self, name: str) -> pa.ChunkedArray:
        if name not in self._data.column_names:
            raise DataError("these preferences have no tokens", fix="make the table with an encoder")
        return self._data.column(name)

    def _strings(self, name: str) -> list[str]:
        return self._data.column(name).take(pa.array(self._rows)).to_pylist()

    def _row(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            raise IndexError(f"preference {index} of {len(self)}")
        return int(self._rows[index])


def from_preferences(preferences: Iterable[Preference], encoder: ConversationEncoder | None = None) -> PreferenceTable:
    """A table in memory. With an encoder each preference gets its tokens, whatever their number."""
    everything = list(preferences)
    batches = []
    for start in range(0, len(everything), _ENCODED_AT_ONCE):
        some = everything[start : start + _ENCODED_AT_ONCE]
        text = columns.text_batch(some, files=["memory"] * len(some), lines=range(start + 1, start + len(some) + 1))
        batches.append(text if encoder is None else join(text, _token_batch(some, encoder)))
    schema = columns.TEXT_SCHEMA if encoder is None else columns.SCHEMA
    return PreferenceTable(pa.Table.from_batches(batches, schema=schema))


def join(text: pa.RecordBatch, tokens: pa.RecordBatch) -> pa.RecordBatch:
    """Rows of `columns.SCHEMA` from their text and their tokens."""
    arrays = [text.column(name) for name in columns.TEXT_SCHEMA.names] + tokens.columns
    return pa.RecordBatch.from_arrays(arrays, schema=columns.SCHEMA)


def _token_batch(preferences: Sequence[Preference], encoder: ConversationEncoder) -> pa.RecordBatch:
    sequences = iter(encoder.encode([p.conversation(k) for p in preferences for k in range(len(p.responses))]))
    split = [split_prefix([next(sequences) for _ in p.responses]) for p in preferences]
    return columns.token_batch([(each.prefix, each.tails) for each in split])


def _sizes(lists: pa.ChunkedArray) -> Int64[np.ndarray, " row"]:
    parts = [np.diff(np.asarray(chunk.offsets)).astype(np.int64) for chunk in lists.chunks]
    return np.concatenate([np.zeros(0, np.int64), *parts])
