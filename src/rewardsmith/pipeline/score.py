"""Rows in, rewards out: any number of them, in bounded memory and in order."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import tee
from pathlib import Path
from typing import IO, Any, Literal

import orjson

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import DataError, OverlengthError, RewardsmithError
from rewardsmith.core.scores import Relative, Scorer, Scores, Truncating
from rewardsmith.core.store import writing_file
from rewardsmith.preferences.lines import read_json_lines
from rewardsmith.preferences.load import iter_rows
from rewardsmith.preferences.outcome import RawRow
from rewardsmith.preferences.settings import SourceSettings
from rewardsmith.scoring.engine import FastScorer
from rewardsmith.scoring.limits import Overlength
from rewardsmith.scoring.load import load_scorer
from rewardsmith.scoring.rows import read_conversations
from rewardsmith.scoring.statistics import ScoringStatistics
from rewardsmith.scoring.windows import windows

_SCORED_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class ScoreSummary:
    """What scoring a file took; as a string, one line of it.

    Attributes:
        n_truncated: Conversations that were cut to fit.
        statistics: What was computed and what was known; of the fast engine with a single model.
    """

    n_truncated: int
    statistics: ScoringStatistics | None

    def __str__(self) -> str:
        cut = f"{self.n_truncated:,} cut to fit"
        done = self.statistics
        if done is None:
            return cut
        return (
            f"{done.texts:,} texts: {done.computed:,} computed, {done.cache_hits:,} from the cache, "
            f"{done.duplicates:,} equal to another, {cut}; {done.computed_tokens:,} tokens in {done.seconds:,.1f} s"
        )


def score_file(
    model: str,
    source: str,
    *,
    out: Path | None,
    engine: Literal["fast", "reference"] = "fast",
    overlength: Overlength = "raise",
    cache: Path | None = None,
    weights: Mapping[str, float] | None = None,
) -> ScoreSummary:
    """Score the rows of `source` (`-`: JSON lines on standard input) and write one JSON line for each, in order.

    Args:
        out: File that appears once all is scored; standard output, some hundred lines at a time, where absent.
        cache: Folder that keeps rewards, so that the same command takes up where it was killed.
        weights: Attribute → weight, in the place of the model's own.

    Raises:
        DataError: A line cannot be read. Lines before it are on standard output already; no file is written.
        OverlengthError: A line is too long, and truncation was not asked for. The same holds.
        ModelError: There is no usable reward model.
        SettingsError: The cache cannot be used, or the weights not.
    """
    scorer = load_scorer(model, engine=engine, overlength=overlength, cache=cache, weights=weights)
    with _writing(out) as sink:
        for line in scored_lines(scorer, source_rows(source)):
            sink.write(line)
            if out is None:
                sink.flush()
    n_truncated = scorer.n_truncated if isinstance(scorer, Truncating) else 0
    return ScoreSummary(n_truncated, scorer.statistics if isinstance(scorer, FastScorer) else None)


def scored_lines(scorer: Scorer, rows: Iterable[RawRow]) -> Iterator[bytes]:
    """One JSON line a row: its `id` where it has one, its line number where not, and its rewards.

    What a family of scorers says beside the reward (`spread`, `steps`, `attributes`, `rationale`) stands under
    `details`, by the name of the reward.

    Rows before one that cannot be read, or is too long, are scored and yielded before the error is raised.

    Raises:
        DataError: A row cannot be read; its file and line are named.
        OverlengthError: A conversation is too long for the scorer; file and line of its row are named.
    """
    return lines_of(scorer, read_asked(rows))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a row asks for.

    Attributes:
        id: Its own id, else the number of its line.
        where: File and line.
        conversations: By the name of the reward.
    """

    id: Any
    where: str
    conversations: dict[str, Conversation]


def read_asked(rows: Iterable[RawRow]) -> Iterator[Asked]:
    """What each row asks for.

    Raises:
        DataError: A row cannot be read; its file and line are named.
    """
    for row in rows:
        where = f"{row.file}:{row.line}"
        values = _values(row)
        yield Asked(values.get("id", row.line), where, read_conversations(values, where=where))


def lines_of(scorer: Scorer, rows: Iterable[Asked]) -> Iterator[bytes]:
    """`scored_lines` of rows that were read before."""
    # The scorer reads a window ahead of the lines that are written.
    ahead, behind = tee(rows)
    scored = _scored(scorer, (each for asked in ahead for each in asked.conversations.values()))
    for asked in behind:
        try:
            found = {name: next(scored) for name in asked.conversations}
        except OverlengthError as error:
            fix = "shorten it, or cut over-long prompts with --truncate"
            raise OverlengthError(
                error.problem, wanted=error.wanted, got=error.got, where=asked.where, fix=fix
            ) from error
        yield orjson.dumps({"id": asked.id} | _values_of(found)) + b"\n"
    # All that was read is written. What stopped the reading, if anything, the scorer has still to say.
    next(scored, None)


@dataclass(frozen=True, slots=True)
class _Scored:
    """The reward of a conversation, and what the scorer says beside it."""

    reward: float
    details: dict[str, Any]


def _scored(scorer: Scorer, conversations: Iterable[Conversation]) -> Iterator[_Scored]:
    if isinstance(scorer, FastScorer):
        return (_Scored(reward, {}) for reward in scorer.score_stream(conversations))
    if isinstance(scorer, Relative):
        return (each for scores in scorer.score_by_prompt(conversations) for each in _each(scores))
    return _in_windows(scorer, conversations)


def _in_windows(scorer: Scorer, conversations: Iterable[Conversation]) -> Iterator[_Scored]:
    """Some hundred at a time; one by one where one of them is refused, so that those before it come out first."""
    for some in windows(conversations, max_items=_SCORED_AT_ONCE):
        try:
            scores = [scorer.score(some)]
        except RewardsmithError:
            for each in some:
                yield from _each(scorer.score([each]))
            raise
        for each in scores:
            yield from _each(each)


def _each(scores: Scores) -> Iterator[_Scored]:
    for index, reward in enumerate(scores.rewards.tolist()):
        yield _Scored(reward, _details(scores, index))


def _details(scores: Scores, index: int) -> dict[str, Any]:
    """What `scores` say about conversation number `index` beside its reward."""
    details: dict[str, Any] = {}
    if scores.spread is not None:
        details["spread"] = float(scores.spread[index])
    if scores.members is not None:
        details["members"] = scores.members[:, index].tolist()
    if scores.steps is not None:
        details["steps"] = scores.steps[index].tolist()
    if scores.attributes:
        details["attributes"] = {name: float(values[index]) for name, values in scores.attributes.items()}
    if scores.rationales is not None:
        details["rationale"] = scores.rationales[index]
    return details


def _values(row: RawRow) -> dict[str, Any]:
    if row.values is None:
        raise DataError("not a JSON object", got=row.problem, where=f"{row.file}:{row.line}", fix="write one a line")
    return row.values


def _values_of(found: dict[str, _Scored]) -> dict[str, Any]:
    """`rewards.0`, `rewards.1` become the list `rewards`; other names stay. Details stand under the same names."""
    rewards = _nested({name: each.reward for name, each in found.items()})
    details = {name: each.details for name, each in found.items() if each.details}
    return rewards | ({"details": _nested(details)} if details else {})


def _nested(values: dict[str, Any]) -> dict[str, Any]:
    listed = [value for name, value in values.items() if name.startswith("rewards.")]
    return {"rewards": listed} if listed else values


def source_rows(source: str) -> Iterator[RawRow]:
    """The rows of a file, a folder or a hub id, or of standard input where `source` is `-`."""
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
