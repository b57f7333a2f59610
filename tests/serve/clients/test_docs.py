"""The page about clients: its Python runs, and its numbers are those of the code."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from tests.serve.serving import Serving

from rewardsmith.pipeline.bulk import ROWS_PER_SHARD
from rewardsmith.scoring.client import KEY_VARIABLE, RemoteScorer
from rewardsmith.scoring.tries import PASSING

PAGE = (Path(__file__).parents[3] / "docs" / "client.md").read_text()


def test_the_example_runs(server: Serving) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    found: dict[str, object] = {}
    exec(code.replace("http://127.0.0.1:8000", server.url), found)
    assert found["best"] in found["answers"]  # type: ignore[operator]


def test_the_numbers_are_those_of_the_code() -> None:
    told = {name: int(number) for name, number in re.findall(r"`(\w+)` \((\d+)\)", PAGE)}
    defaults = {name: each.default for name, each in inspect.signature(RemoteScorer).parameters.items()}
    assert told == {name: defaults[name] for name in told}
    assert set(told) == {"timeout_s", "max_attempts", "deadline_s", "batch_texts", "concurrency"}
    assert f"status {', '.join(map(str, sorted(PASSING)))} " in PAGE
    assert f"shards of {ROWS_PER_SHARD}" in PAGE
    assert KEY_VARIABLE in PAGE
