"""Rows from a stream of bytes, line by line and in bounded memory: JSON lines and CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

import orjson

from rewardsmith.core.errors import DataError, shorten
from rewardsmith.preferences.outcome import RawRow

MAX_ROW_BYTES = 8 << 20
"""Longer rows are not read. A preference of 8 MiB has some two million tokens, so it is a mistake, not data."""

_SKIP_BYTES = 1 << 20
_MESSAGE_COLUMNS = frozenset({"prompt", "chosen", "rejected", "completion", "response"})


def read_json_lines(stream: BinaryIO, file: str) -> Iterator[RawRow]:
    """One row for each line that is not blank; a line that is not a JSON object gives a row with its problem."""
    loads = orjson.loads
    for number, line, size in bounded_lines(stream):
        if size > MAX_ROW_BYTES:
            yield RawRow(None, file, number, oversize(size))
            continue
        try:
            values = loads(line)
        except orjson.JSONDecodeError as error:
            if not line.strip():
                continue
            values, problem = _with_nan(line, str(error))
            if problem:
                yield RawRow(None, file, number, problem)
                continue
        if type(values) is dict:
            yield RawRow(values, file, number)
        else:
            yield RawRow(None, file, number, f"the line is a JSON {type(values).__name__}, not an object")


def read_csv(stream: BinaryIO, file: str, *, delimiter: str) -> Iterator[RawRow]:
    """One row a record under the header; a record of another length gives a row with its problem.

    Cells stay text, but for lists and objects written as JSON (votes, ratings, messages).

    Raises:
        DataError: The header is missing, or names a column twice.
    """
    csv.field_size_limit(max(csv.field_size_limit(), MAX_ROW_BYTES))
    records = csv.reader(_text_lines(stream), delimiter=delimiter)
    header = _header(records, file)
    while True:
        number = records.line_num + 1
        try:
            record = next(records)
        except StopIteration:
            return
        except csv.Error as error:
            yield RawRow(None, file, number, f"not CSV: {error}")
            continue
        if len(record) == len(header):
            yield RawRow({name: _cell(name, cell) for name, cell in zip(header, record, strict=True)}, file, number)
        elif record:
            yield RawRow(None, file, number, f"{len(record)} cells under {len(header)} columns")


def bounded_lines(stream: BinaryIO) -> Iterator[tuple[int, bytes, int]]:
    """Line number (from 1), bytes, and size in bytes; of a line over `MAX_ROW_BYTES` only the beginning is kept."""
    number = 0
    readline = stream.readline
    while line := readline(MAX_ROW_BYTES + 1):
        number += 1
        size = len(line)
        if size > MAX_ROW_BYTES and not line.endswith(b"\n"):
            while rest := readline(_SKIP_BYTES):
                size += len(rest)
                if rest.endswith(b"\n"):
                    break
        if number == 1 and line.startswith(b"\xef\xbb\xbf"):
            line = line[3:]
        yield number, line, size


def oversize(size: int) -> str:
    """The problem of a row that is too large."""
    return f"the row has {size / (1 << 20):.1f} MiB; rows of up to {MAX_ROW_BYTES >> 20} MiB are read"


def _with_nan(line: bytes, problem: str) -> tuple[Any, str]:
    """Python's own writer leaves NaN and Infinity in JSON, which is not JSON; they are read as null."""
    if b"NaN" not in line and b"Infinity" not in line:
        return None, f"not JSON: {problem}"
    try:
        return json.loads(line, parse_constant=lambda _: None), ""
    except (ValueError, RecursionError):
        return None, f"not JSON: {problem}"


def _text_lines(stream: BinaryIO) -> Iterator[str]:
    # A line that is too large reaches the CSV reader cut off, and still over the reader's limit for a field, so that
    # it is reported as one bad record. Undecodable bytes become U+FFFD; the checks count those.
    return (line.decode("utf-8", "replace") for _, line, _ in bounded_lines(stream))


def _header(records: Iterator[list[str]], file: str) -> list[str]:
    try:
        header = [name.strip() for name in next(records)]
    except (StopIteration, csv.Error) as error:
        raise DataError(
            "no CSV header", got=error, where=file, fix="write the column names in the first line"
        ) from error
    if len(set(header)) < len(header) or not all(header):
        raise DataError("a column without a name, or named twice", got=", ".join(header), where=file)
    return header


def _cell(column: str, cell: str) -> Any:
    if cell[:1] not in ("[", "{"):
        return cell
    try:
        value = orjson.loads(cell)
    except orjson.JSONDecodeError:
        return cell
    # A response may well be a piece of JSON; only messages are read as more than text there.
    is_messages = isinstance(value, list) and value and all(isinstance(item, dict) and "role" in item for item in value)
    return value if is_messages or column not in _MESSAGE_COLUMNS else cell


def refuse_unreadable(rows: Iterator[RawRow], file: str, *, patience: int = 20) -> Iterator[RawRow]:
    """The same rows, unless the first ones (at most `patience`) are all unreadable, or there is none.

    Raises:
        DataError: The file is something else than its name says.
    """
    held = []
    for row in rows:
        held.append(row)
        if row.values is not None or len(held) == patience:
            break
    if not held:
        raise DataError("the file is empty", where=file, fix="name a file with at least one row")
    if held[-1].values is None:
        raise DataError(
            f"none of the first {len(held)} line(s) could be read",
            wanted="one JSON object a line (or, in CSV, as many cells as columns)",
            got=f"line {held[0].line}: {shorten(held[0].problem, 120)}",
            where=file,
            fix="check that this is the right file, and that its suffix says its format",
        )
    yield from held
    yield from rows
