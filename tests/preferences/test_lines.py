"""Bounded lines, JSON lines, CSV."""

from __future__ import annotations

import io
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.errors import DataError
from rewardsmith.preferences.lines import MAX_ROW_BYTES, bounded_lines, read_csv, read_json_lines, refuse_unreadable
from rewardsmith.preferences.outcome import RawRow

JSON_VALUES = st.dictionaries(st.text(max_size=4), st.text() | st.integers(-(2**53), 2**53) | st.none(), max_size=4)


class OneLongLine(io.RawIOBase):
    """`size` bytes without a newline, then a newline and a good row; made as they are read."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._tail = io.BytesIO(b'\n{"a":1}\n')

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        if not self._left:
            return self._tail.readinto(buffer)
        count = min(len(buffer), self._left)
        buffer[:count] = b"x" * count
        self._left -= count
        return count


def json_rows(text: str | bytes) -> list[RawRow]:
    return list(read_json_lines(io.BytesIO(text.encode() if isinstance(text, str) else text), "f"))


def csv_rows(text: str) -> list[RawRow]:
    return list(read_csv(io.BytesIO(text.encode()), "f", delimiter=","))


@given(st.lists(JSON_VALUES, max_size=5))
def test_json_lines_round_trip(rows: list[dict]) -> None:
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    assert [row.values for row in json_rows(text)] == rows


def test_lines_are_the_file_s_own_and_bad_ones_keep_their_place() -> None:
    rows = json_rows('{"a": 1}\n\n{"a": \n[1]\n\r\n{"a": 2}')
    assert [(row.line, row.values) for row in rows] == [(1, {"a": 1}), (3, None), (4, None), (6, {"a": 2})]
    assert rows[1].problem.startswith("not JSON:")
    assert rows[2].problem == "the line is a JSON list, not an object"


def test_byte_order_mark_and_nan() -> None:
    assert [row.values for row in json_rows(b'\xef\xbb\xbf{"a": NaN}\n')] == [{"a": None}]


def test_invalid_utf8_is_one_bad_line() -> None:
    rows = json_rows(b'{"a": "\xff"}\n{"a": "b"}\n')
    assert [row.values for row in rows] == [None, {"a": "b"}]


def test_a_row_of_50_mb_is_refused_in_bounded_memory() -> None:
    size = 50 << 20
    stream = io.BufferedReader(OneLongLine(size), 1 << 16)
    tracemalloc.start()
    rows = list(read_json_lines(stream, "f"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * MAX_ROW_BYTES
    assert rows == [
        RawRow(None, "f", 1, "the row has 50.0 MiB; rows of up to 8 MiB are read"),
        RawRow({"a": 1}, "f", 2),
    ]


def test_a_line_of_just_the_limit_is_read() -> None:
    line = b"x" * (MAX_ROW_BYTES - 1) + b"\n"
    assert [(number, size) for number, _, size in bounded_lines(io.BytesIO(line * 2))] == [
        (1, MAX_ROW_BYTES),
        (2, MAX_ROW_BYTES),
    ]


def test_csv_lines_count_the_newlines_inside_cells() -> None:
    rows = csv_rows('prompt,chosen\n"two\nlines",b\nonly one cell\nq,c\n')
    assert [(row.line, row.values) for row in rows] == [
        (2, {"prompt": "two\nlines", "chosen": "b"}),
        (4, None),
        (5, {"prompt": "q", "chosen": "c"}),
    ]
    assert rows[1].problem == "1 cells under 2 columns"


def test_csv_cells_hold_json_but_a_response_stays_text() -> None:
    header = "response,votes,prompt\n"
    row = csv_rows(header + '[1],"[""tie""]","[{""role"": ""user"", ""content"": ""q""}]"\n')[0]
    assert row.values == {"response": "[1]", "votes": ["tie"], "prompt": [{"role": "user", "content": "q"}]}


def test_csv_with_one_enormous_cell() -> None:
    rows = csv_rows("a,b\n" + "x" * (MAX_ROW_BYTES * 2) + ",1\n2,3\n")
    assert [row.values for row in rows] == [None, {"a": "2", "b": "3"}]


@pytest.mark.parametrize("header", ["a,a\n1,2\n", "a,\n1,2\n", ""])
def test_csv_header(header: str) -> None:
    with pytest.raises(DataError):
        csv_rows(header)


def test_a_file_whose_first_rows_are_all_unreadable_is_refused() -> None:
    bad = [RawRow(None, "f", line, "not JSON: x") for line in range(1, 40)]
    with pytest.raises(DataError, match="none of the first 20 line"):
        list(refuse_unreadable(iter(bad), "f"))
    with pytest.raises(DataError, match="empty"):
        list(refuse_unreadable(iter(()), "f"))
    late = [*bad[:19], RawRow({}, "f", 20)]
    assert list(refuse_unreadable(iter(late), "f")) == late
