"""The log's lines are JSON, always."""

from __future__ import annotations

import json

from rewardsmith.training.store import append_log, log_line, write_log


def test_nan_and_infinity_become_null():
    assert json.loads(log_line({"a": float("nan"), "b": float("-inf"), "c": 1.5, "step": 2})) == {
        "a": None,
        "b": None,
        "c": 1.5,
        "step": 2,
    }


def test_lines_follow_each_other(tmp_path):
    path = tmp_path / "log.jsonl"
    write_log(path, [{"step": 1}])
    append_log(path, {"step": 2})

    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'
