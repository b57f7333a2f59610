"""Rows, tokens, lengths and selections of a table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rewardsmith.core.errors import DataError
from rewardsmith.core.preference import Pair
from rewardsmith.preferences.table import from_preferences


@pytest.fixture
def rows(make_preference):
    ranking = make_preference("which", "one", "two!", "three", pairs=(Pair(0, 1, 0.8, 1.5, 2.0), Pair(0, 2)))
    return [
        make_preference("why", "yes", "no", group="g1"),
        ranking,
        replace(make_preference("", "x", "yy"), source="o"),
    ]


def test_rows_come_back(rows):
    table = from_preferences(rows)
    assert len(table) == 3
    assert list(table) == rows
    assert table[-1] == rows[2]
    assert table.groups == ["g1", "which", ""]
    assert table.sources == ["test", "test", "o"]
    with pytest.raises(IndexError):
        table[3]


def test_tokens_are_the_encoders(rows, byte_encoder):
    table = from_preferences(rows, byte_encoder)
    for index, row in enumerate(rows):
        encoded = table.encoded(index)
        assert encoded.pairs == row.pairs
        whole = [np.concatenate([encoded.prefix, tail]).tolist() for tail in encoded.tails]
        expected = byte_encoder.encode([row.conversation(k) for k in range(len(row.responses))])
        assert whole == [ids.tolist() for ids in expected]


def test_lengths(rows, byte_encoder):
    table = from_preferences(rows, byte_encoder)
    # "why": <bos> user:why<eos> assistant: = 1+9+10 = 20 shared; "yes<eos>" 4, "no<eos>" 3.
    # "which": 1+11+10 = 22; "one" and "three" part from "two!" at once: 4, 5, 6. No prompt: 1+10 = 11; 2 and 3.
    assert table.lengths.tolist() == [27, 37, 16]
    assert table.longest.tolist() == [24, 28, 14]


def test_selections_keep_their_order_and_can_be_nested(rows, byte_encoder):
    table = from_preferences(rows, byte_encoder).select([2, 0, 0])
    assert [row.id for row in table] == ["", "why", "why"]
    assert table.lengths.tolist() == [16, 27, 27]
    nested = table.select(np.array([1]))
    assert nested[0] == rows[0]
    assert nested.groups == ["g1"]
    assert nested.encoded(0).tails[0].tolist() == table.encoded(1).tails[0].tolist()
    assert len(table.select([])) == 0


def test_prompt_batches(rows):
    batches = list(from_preferences(rows).select([1, 2, 0]).prompt_batches(2))
    assert [start for start, _ in batches] == [0, 2]
    assert [group for _, batch in batches for group, _ in batch] == ["which", "", "g1"]
    assert batches[1][1][0][1] == rows[0].prompt


def test_no_tokens_without_an_encoder(rows):
    table = from_preferences(rows)
    for use in (lambda: table.encoded(0), lambda: table.lengths):
        with pytest.raises(DataError, match="no tokens"):
            use()


def test_an_empty_table(byte_encoder):
    table = from_preferences([], byte_encoder)
    assert len(table) == 0
    assert table.lengths.tolist() == table.longest.tolist() == []


def test_many_batches(make_preference, byte_encoder):
    rows = [make_preference(f"question {number}", "a", "b" * (number % 7 + 1)) for number in range(601)]
    table = from_preferences(rows, byte_encoder)
    assert table[599] == rows[599]
    sizes = [len(each.prefix) + sum(map(len, each.tails)) for each in map(table.encoded, range(601))]
    assert table.lengths.tolist() == sizes
