"""`rewardsmith export`, as a user calls it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAIRS = [
    {"prompt": f"question {number}", "chosen": "abc" * (number % 5 + 1) + ".", "rejected": "xy" * (number % 3 + 1)}
    for number in range(12)
]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in PAIRS), "utf-8")
    return path


def test_an_exported_model_is_scored_like_its_source(
    cli: Callable[..., Any], tiny_reward_model: Path, pairs: Path, tmp_path: Path
):
    options = ["--format", "torchscript", "--out", tmp_path / "exported", "--pairs", pairs]

    done = cli("export", tiny_reward_model, *options)

    assert done.code == 0, done.err
    assert "pairs whose order changes" in done.out
    assert "Good: " in done.out
    found, source = (
        [json.loads(line) for line in cli("score", model, pairs).out.splitlines()]
        for model in (tmp_path / "exported", tiny_reward_model)
    )
    assert len(found) == 12
    for one, other in zip(found, source, strict=True):
        assert one["chosen"] == pytest.approx(other["chosen"], abs=1e-5)
    again = cli("export", tiny_reward_model, *options, "--json")
    assert json.loads(again.out)["exit_code"] == 0


@pytest.mark.parametrize(
    ("options", "problem"),
    [(["--format", "gguf"], "bad value for format"), (["--max-flips", "2"], "bad value for max_flips")],
)
def test_wrong_options_are_one_line(
    options: list[str], problem: str, cli: Callable[..., Any], tiny_reward_model: Path, tmp_path: Path
):
    done = cli("export", tiny_reward_model, "--format", "onnx", "--out", tmp_path / "exported", *options)

    assert done.code == 2
    assert problem in done.err
    assert done.err.count("\n") == 1
