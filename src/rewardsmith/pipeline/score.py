"""Rows in, rewards out: any number of them, in bounded memory and in order."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal

import orjson

from rewardsmith.core.errors import DataError
from rewardsmith.core.scores import Scorer
from rewardsmith.core.store import writing_file
from rewardsmith.preferences.lines import read_json_lines
from rewardsmith.preferences.outcome import RawRow
from rewardsmith.scoring.limits import Overlength
from rewardsmith.scoring.load import load_scorer
from rewardsmith.scoring.rows import read_conversations

_ROWS_AT_ONCE = 512


def score_file(
    model: str,
    source: str,
    *,
    out: Path | None,
    engine: Literal["bucketed", "reference"] = "bucketed",
    overlength: Overlength = "raise",
) -> None:
    """Score the JSON lines of `source` (`-`: standard input) and write one line for each, in order.

    Args:
        out: File that appears once all is scored; standard output, line by line, where absent.

    Raises:
        DataError: A line cannot be read. Lines before it are on standard output already; no file is written.
        ModelError: There is no usable reward model.
    """
    scorer = load_scorer(model, engine=engine, overlength=overlength)
    with _reading(source) as stream, _writing(out) as sink:
        name = "standard input" if source == "-" else source
        for line in scored_lines(scorer, read_json_lines(stream, name)):
            sink.write(line)
            if out is None:
                sink.flush()


def scored_lines(scorer: Scorer, rows: Iterable[RawRow]) -> Iterator[bytes]:
    """One JSON line a row: its `id` where it has one, its line number where not, and its rewards."""
    stream = iter(rows)
    while some := list(islice(stream, _ROWS_AT_ONCE)):
        asked = [read_conversations(_values(row), where=f"{row.file}:{row.line}") for row in some]
        rewards = iter(scorer.score([each for row in asked for each in row.values()]).rewards.tolist())
        for row, conversations in zip(some, asked, strict=True):
            head = {"id": _values(row).get("id", row.line)}
            yield orjson.dumps(head | _nested({name: next(rewards) for name in conversations})) + b"\n"


def _values(row: RawRow) -> dict[str, Any]:
    if row.values is None:
        raise DataError("not a JSON object", got=row.problem, where=f"{row.file}:{row.line}", fix="write one a line")
    return row.values


def _nested(rewards: dict[str, float]) -> dict[str, Any]:
    """`rewards.0`, `rewards.1` become the list `rewards`; other names stay."""
    listed = [value for name, value in rewards.items() if name.startswith("rewards.")]
    return {"rewards": listed} if listed else dict(rewards)


@contextlib.contextmanager
def _reading(source: str) -> Iterator[BinaryIO]:
    if source == "-":
        yield sys.stdin.buffer
        return
    path = Path(source)
    if not path.is_file():
        raise DataError("no such file", wanted="a file of JSON lines, or - for standard input", where=source)
    with path.open("rb") as stream:
        yield stream


@contextlib.contextmanager
def _writing(out: Path | None) -> Iterator[IO[bytes]]:
    if out is None:
        yield sys.stdout.buffer
        return
    with writing_file(out) as stream:
        yield stream
