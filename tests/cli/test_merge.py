"""`rewardsmith merge`, as a user calls it."""

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
def cohort(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in PAIRS), "utf-8")
    return path


def test_two_models_become_one_that_scores(
    cli: Callable[..., Any], tiny_reward_model: Path, cohort: Path, tmp_path: Path
):
    options = ["--cohort", f"helpful={cohort}", "--cohort", f"harmless={cohort}", "--out", tmp_path / "merged"]

    done = cli("merge", tiny_reward_model, tiny_reward_model, *options, "--rule", "worst-cohort")

    assert done.code == 0, done.err
    assert "pairs of" in done.out
    assert "n=12" in done.out
    assert cli("score", tmp_path / "merged", cohort, "--truncate").out.count('"chosen"') >= 12
    again = cli("merge", tiny_reward_model, tiny_reward_model, *options, "--json")
    assert json.loads(again.out)["config"]["merge"]["rule"] == "standardised"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--rule", "median"], "bad value for rule"),
        (["--cohort", "helpful"], "not a name and a value"),
        (["--limit", "harmless=high"], "not a number"),
        ([], "models and cohorts do not go together"),
    ],
)
def test_wrong_options_are_one_line(
    options: list[str], problem: str, cli: Callable[..., Any], tiny_reward_model: Path, cohort: Path, tmp_path: Path
):
    named = ["--cohort", f"first={cohort}", "--out", tmp_path / "merged"]

    done = cli("merge", tiny_reward_model, tiny_reward_model, *named, *options)

    assert done.code == 2
    assert problem in done.err
    assert done.err.count("\n") == 1
