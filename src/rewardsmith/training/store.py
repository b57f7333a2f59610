"""The training log on disk: one JSON object a line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rewardsmith.core.store import write_text

LOG_NAME = "training_log.jsonl"


def log_line(values: Mapping[str, Any]) -> str:
    """One line of JSON; NaN and infinities, which JSON does not know, become null."""
    return json.dumps({key: _finite(value) for key, value in values.items()}) + "\n"


def write_log(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write the whole log, atomically."""
    write_text(path, "".join(map(log_line, lines)))


def append_log(path: Path, values: Mapping[str, Any]) -> None:
    """Append a line and hand it to the system, so that a reader sees it."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write(log_line(values))


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
