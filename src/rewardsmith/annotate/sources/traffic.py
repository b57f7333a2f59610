"""What a server was asked → material. The format is that of the files `traffic-*.jsonl`: a line a scored text.

    {"time": …, "model": "9f0c…", "conversation": [{"role", "content"}, …], "reward": 1.25, …}

Responses to one prompt are put together. What came as one text has no turns, and is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rewardsmith.annotate.sources.material import Material, turns_of
from rewardsmith.annotate.sources.outcome import NO_TURNS, Left
from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import DataError
from rewardsmith.preferences.groups import group_of
from rewardsmith.preferences.outcome import RawRow, Reason

KIND = "traffic"
PATTERN = "traffic-*.jsonl"
"""Names of the log's files; their order is that of time."""

_KEYS = frozenset({"time", "model", "reward"})


def is_traffic(values: Mapping[str, Any] | None) -> bool:
    """Whether a line is one of a traffic log."""
    return values is not None and values.keys() >= _KEYS and ("conversation" in values or "text" in values)


def traffic_files(folder: Path) -> list[Path]:
    """The log's files that hold something, oldest first: a server makes the next one before it has a line for it."""
    return [path for path in sorted(folder.glob(PATTERN)) if path.stat().st_size]


def traffic_material(rows: Sequence[RawRow], *, name: str) -> Iterator[Material | Left]:
    """The distinct responses to each prompt, in the order in which they were first seen.

    Args:
        name: Of the source.

    Raises:
        DataError: No line is one of a traffic log.
    """
    if not any(is_traffic(row.values) for row in rows):
        raise DataError("no line of a traffic log", wanted="time, model, reward and a conversation", where=name)
    prompts: dict[Conversation, dict[Conversation, float]] = {}
    for row in rows:
        turns, left = _turns(row)
        if left is not None:
            yield left
            continue
        # Of a text that was scored several times the last reward stays.
        prompts.setdefault(turns[:-1], {})[turns[-1:]] = _reward(row)
    for prompt, responses in prompts.items():
        yield Material(
            prompt=prompt,
            responses=tuple(responses),
            group=group_of(prompt),
            source=name,
            meta={"rewards": list(responses.values())},
        )


def _turns(row: RawRow) -> tuple[Conversation, Left | None]:
    values, where = row.values or {}, f"{row.file}:{row.line}"
    if row.values is None or not is_traffic(values):
        return (), Left(Reason.UNREADABLE.value, where, row.problem or "not a line of a traffic log")
    if "conversation" not in values:
        return (), Left(NO_TURNS, where, "the text came as it is")
    turns = turns_of(values["conversation"], "user")
    if turns is None:
        return (), Left(Reason.WRONG_TYPE.value, where, "the conversation is no list of messages")
    if len(turns) < 2 or turns[-1].role != "assistant":
        return (), Left(Reason.WRONG_ROLES.value, where, "wanted a prompt, and the assistant's turn last")
    return turns, None


def _reward(row: RawRow) -> float:
    reward = (row.values or {}).get("reward")
    return float(reward) if isinstance(reward, int | float) else float("nan")
