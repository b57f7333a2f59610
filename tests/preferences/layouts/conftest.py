"""Rows in, outcomes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from rewardsmith.preferences.layouts import read
from rewardsmith.preferences.outcome import RawRow, ReadRow
from rewardsmith.preferences.settings import SourceSettings

ReadAll = Callable[..., list[ReadRow]]


@pytest.fixture
def read_all() -> ReadAll:
    """Read rows (`None` stands for a line that could not be parsed) as the file `f.jsonl`."""

    def run(*rows: dict[str, Any] | None, **settings: Any) -> list[ReadRow]:
        raw: Sequence[RawRow] = [
            RawRow(values, "f.jsonl", line, "" if values is not None else "not JSON")
            for line, values in enumerate(rows, 1)
        ]
        return list(read(raw, SourceSettings(path="data/f.jsonl", **settings)))

    return run
