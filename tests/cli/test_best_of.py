"""`rewardsmith best-of`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any


def test_the_best_of_some_candidates(cli: Any, tiny_reward_model: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"prompt": "a", "responses": ["x", "yy", "zzz", "w"]}) + "\n")
    arguments = ["best-of", "--policy", rows, "--model", tiny_reward_model, "--out", tmp_path / "out", "-n", 4]
    made = cli(*arguments, "--json")
    assert (made.code, made.err) == (0, "")
    summary = json.loads(made.out)
    assert (summary["prompts"], summary["responses"]) == (1, 4)
    assert math.isclose(summary["nats"], math.log(4) - 3 / 4)
    line = json.loads((tmp_path / "out" / "best_of.jsonl").read_text())
    assert line["response"] == ["x", "yy", "zzz", "w"][line["rewards"].index(max(line["rewards"]))]
    shown = cli(*arguments)
    assert shown.code == 0
    assert "selection nats" in shown.out


def test_bad_options_are_one_line(cli: Any, tiny_reward_model: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"prompt": "a", "responses": ["x"]}) + "\n")
    common = ["best-of", "--model", tiny_reward_model, "--out", tmp_path / "out"]
    for options, code in (
        (["--policy", rows, "--select", "worst"], 4),
        (["--policy", tmp_path / "none.jsonl"], 3),
        (["--policy", rows, "--top-p", "0"], 2),
        (["--policy", "http://127.0.0.1:9/v1"], 2),
    ):
        found = cli(*common, *options)
        assert (found.code, found.err.count("\n")) == (code, 1), found.err
    assert not (tmp_path / "out").exists()
