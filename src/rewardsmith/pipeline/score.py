"""Rows in, rewards out: any number of them, in bounded memory and in order."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal

import orjson

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import DataError, OverlengthError
from rewardsmith.core.scores import Scorer
from rewardsmith.core.store import writing_file
from rewardsmith.preferences.lines import read_json_lines
from rewardsmith.preferences.load import iter_rows
from rewardsmith.preferences.outcome import RawRow
from rewardsmith.preferences.settings import SourceSettings
from rewardsmith.scoring.limits import Overlength
from rewardsmith.scoring.load import load_scorer
from rewardsmith.scoring.rows import read_conversations

_ROWS_AT_ONCE = 512


def score_file(
    model: str,
    source: str,
    *,
    out: Path | None,
    engine: Literal["fast", "reference"] = "fast",
    overlength: Overlength = "raise",
) -> None:
    """Score the rows of `source` (`-`: JSON lines on standard input) and write one JSON line for each, in order.

    Args:
        out: File that appears once all is scored; standard output, some hundred lines at a time, where absent.

    Raises:
        DataError: A line cannot be read. Lines before it are on standard output already; no file is written.
        OverlengthError: A line is too long, and truncation was not asked for. The same holds.
        ModelError: There is no usable reward model.
    """
    scorer = load_scorer(model, engine=engine, overlength=overlength)
    with _writing(out) as sink:
        for line in scored_lines(scorer, _rows(source)):
            sink.write(line)
            if out is None:
                sink.flush()


def scored_lines(scorer: Scorer, rows: Iterable[RawRow]) -> Iterator[bytes]:
    """One JSON line a row: its `id` where it has one, its line number where not, and its rewards.

    Rows before one that cannot be read, or is too long, are scored and yielded before the error is raised.

    Raises:
        DataError: A row cannot be read; its file and line are named.
        OverlengthError: A conversation is too long for the scorer; file and line of its row are named.
    """
    stream = iter(rows)
    while some := list(islice(stream, _ROWS_AT_ONCE)):
        asked, problem = _asked(some)
        usable = some[: len(asked)]
        for row, rewards in zip(usable, _rewards(scorer, usable, asked), strict=True):
            head = {"id": _values(row).get("id", row.line)}
            yield orjson.dumps(head | _nested(rewards)) + b"\n"
        if problem is not None:
            raise problem


def _rewards(
    scorer: Scorer, rows: Sequence[RawRow], asked: Sequence[dict[str, Conversation]]
) -> Iterator[dict[str, float]]:
    """The rewards of each row by name, all scored in one call."""
    try:
        rewards = iter(scorer.score([each for row in asked for each in row.values()]).rewards.tolist())
    except OverlengthError:
        # Again, row by row: those before the long one get their rewards, and the error says where it stands.
        for row, conversations in zip(rows, asked, strict=True):
            yield _rewards_of_row(scorer, row, conversations)
        return
    for conversations in asked:
        yield {name: next(rewards) for name in conversations}


def _rewards_of_row(scorer: Scorer, row: RawRow, conversations: dict[str, Conversation]) -> dict[str, float]:
    try:
        rewards = scorer.score(list(conversations.values())).rewards.tolist()
    except OverlengthError as error:
        fix = "shorten it, or cut over-long prompts with --truncate"
        where = f"{row.file}:{row.line}"
        raise OverlengthError(error.problem, wanted=error.wanted, got=error.got, where=where, fix=fix) from error
    return dict(zip(conversations, rewards, strict=True))


def _asked(rows: Sequence[RawRow]) -> tuple[list[dict[str, Conversation]], DataError | None]:
    """The conversations of each row up to the first bad one, and what is wrong with that."""
    asked = []
    for row in rows:
        try:
            asked.append(read_conversations(_values(row), where=f"{row.file}:{row.line}"))
        except DataError as problem:
            return asked, problem
    return asked, None


def _values(row: RawRow) -> dict[str, Any]:
    if row.values is None:
        raise DataError("not a JSON object", got=row.problem, where=f"{row.file}:{row.line}", fix="write one a line")
    return row.values


def _nested(rewards: dict[str, float]) -> dict[str, Any]:
    """`rewards.0`, `rewards.1` become the list `rewards`; other names stay."""
    listed = [value for name, value in rewards.items() if name.startswith("rewards.")]
    return {"rewards": listed} if listed else dict(rewards)


def _rows(source: str) -> Iterator[RawRow]:
    if source == "-":
        return read_json_lines(sys.stdin.buffer, "standard input")
    return iter_rows(SourceSettings(path=source))


@contextlib.contextmanager
def _writing(out: Path | None) -> Iterator[IO[bytes]]:
    if out is None:
        yield sys.stdout.buffer
        return
    with writing_file(out) as stream:
        yield stream
