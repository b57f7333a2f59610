"""The format of the traffic log: a sample of what was asked, and how it was rewarded.

One JSON object a line, in files `traffic-<UTC time>-<random>.jsonl` of one folder:

    {"time": 1767225600.123,                  seconds since 1970
     "model": "9f0c…",                        digest of the weights (`Provenance.model_digest`)
     "template": "41ab…",                     digest of the chat template
     "conversation": [{"role", "content"}, …] or "text": "…" where a text came as it is
     "reward": 1.25,                          raw
     "spread": 0.1,                           of ensembles only
     "steps": [0.9, null]}                    of process models only; null for a step that was cut off

Which texts are in is decided by their content: the same text is in every time or never, on every replica, and a larger
share holds all that a smaller one does. What came as token ids has no text, and is never in.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewardsmith.core.conversation import Conversation, from_dicts, to_dicts
from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import DataError
from rewardsmith.serve.work import Answer, Ask

PATTERN = "traffic-*.jsonl"
"""Names of the log's files; their order is that of time."""

_HASH_DIGITS = 16


@dataclass(frozen=True, slots=True)
class TrafficRow:
    """One line of the log.

    Attributes:
        time: Seconds since 1970.
        model_digest: Of whoever gave the reward.
        template_digest: Of the chat template.
        conversation: What was scored; absent where a text came as it is.
        text: That text.
        reward: Raw.
        spread: Of an ensemble.
        steps: Of a process model; NaN for a step that was cut off.
    """

    time: float
    model_digest: str
    template_digest: str
    conversation: Conversation | None
    text: str | None
    reward: float
    spread: float | None = None
    steps: tuple[float, ...] | None = None


def sampled_lines(ask: Ask, answer: Answer, *, share: float) -> Iterator[bytes]:
    """A line, its end included, for each text of a request that is in the sample."""
    now = round(time.time(), 3)
    for place, text in enumerate(() if ask.ids else ask.texts or ask.conversations):
        content = {"text": text} if isinstance(text, str) else {"conversation": to_dicts(text)}
        if is_sampled(content, share):
            told = {"time": now, **_provenance(answer), **content, **_scores(answer, place)}
            # json and not orjson: half a surrogate pair can be told as an escape only.
            yield json.dumps(told).encode("ascii") + b"\n"


def is_sampled(content: Mapping[str, Any], share: float) -> bool:
    """Whether a text is in a sample of this share: by its digest, read as a number in [0, 1)."""
    return int(digest_json(content)[:_HASH_DIGITS], 16) < share * 16**_HASH_DIGITS


def read_traffic(path: Path) -> Iterator[TrafficRow]:
    """The rows of a log's folder, oldest file first, or of one of its files.

    The last line of a file may be torn, where the server was killed or the disk was full; it is left out.

    Raises:
        DataError: There is no log, or a line that is not the last is no row. The text is not told.
    """
    files = sorted(path.glob(PATTERN)) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise DataError("no traffic log", wanted=f"{PATTERN} in a folder, or one of them", where=str(path))
    for file in files:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.endswith(b"\n"):
                    yield _row(line, where=f"{file}:{number}")


def _provenance(answer: Answer) -> dict[str, str]:
    provenance = answer.scores.provenance
    return {"model": provenance.model_digest, "template": provenance.template_digest}


def _scores(answer: Answer, place: int) -> dict[str, Any]:
    scores = answer.scores
    told: dict[str, Any] = {"reward": float(scores.rewards[place])}
    if scores.spread is not None:
        told["spread"] = float(scores.spread[place])
    if scores.steps is not None:
        told["steps"] = [step if math.isfinite(step) else None for step in scores.steps[place].tolist()]
    return told


def _row(line: bytes, *, where: str) -> TrafficRow:
    try:
        value = json.loads(line)
        steps = value.get("steps")
        return TrafficRow(
            time=float(value["time"]),
            model_digest=str(value["model"]),
            template_digest=str(value["template"]),
            conversation=from_dicts(value["conversation"]) if "conversation" in value else None,
            text=None if "conversation" in value else str(value["text"]),
            reward=float(value["reward"]),
            spread=None if value.get("spread") is None else float(value["spread"]),
            steps=None if steps is None else tuple(math.nan if step is None else float(step) for step in steps),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError("not a row of a traffic log", got=type(error).__name__, where=where) from None
