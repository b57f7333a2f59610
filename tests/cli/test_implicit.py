"""`rewardsmith implicit`, and scoring with what it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def test_a_policy_becomes_a_reward_model(cli: Any, tiny: Any, tmp_path: Path) -> None:
    base = tiny.save_base(tmp_path / "base", "decoder")
    made = cli("implicit", base, base, "--out", tmp_path / "made", "--beta", "0.5", "--json")
    assert made.code == 0
    assert json.loads(made.out)["config"]["implicit"] == {
        "policy": "../base",
        "reference": "../base",
        "beta": 0.5,
        "normalise": "none",
    }
    (tmp_path / "rows.jsonl").write_text(json.dumps({"prompt": "hi", "chosen": "yes", "rejected": "no"}) + "\n")
    scored = cli("score", tmp_path / "made", tmp_path / "rows.jsonl")
    assert scored.code == 0
    # A policy that is its own reference.
    assert [value for value in json.loads(scored.out).values() if isinstance(value, float)] == [0.0, 0.0]


def test_what_does_not_go_together_is_refused(cli: Any, tiny: Any, tmp_path: Path) -> None:
    base = tiny.save_base(tmp_path / "base", "decoder")
    assert cli("implicit", base, tmp_path / "none", "--out", tmp_path / "made").code == 4
    assert cli("implicit", base, base, "--out", tmp_path / "made", "--beta", "0").code == 2
    assert not (tmp_path / "made").exists()
