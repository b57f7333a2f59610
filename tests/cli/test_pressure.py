"""`rewardsmith pressure`, and the gate that reads what it wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def test_the_budget_reaches_the_gate(cli: Any, tiny_reward_model: Path, tmp_path: Path) -> None:
    rows = [
        {"prompt": f"p{prompt}", "response": f"r{place} " * place, "ratings": {"a": place, "b": -place}}
        for prompt in range(20)
        for place in range(1, 9)
    ]
    source = tmp_path / "rated.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["pressure", tiny_reward_model, "--policy", source, "--gold", "ratings", "--gold-source", source]
    made = cli(*arguments, "--rating", "b", "--out", tmp_path / "out", "--json")
    assert made.code == 0, made.err
    values = json.loads(made.out)
    assert values["best_of_n"]["rating"] == "b"
    budget = next(each for each in values["findings"] if each["name"] == "pressure.budget")
    shown = cli(*arguments, "--rating", "b", "--out", tmp_path / "out")
    assert "pressure.budget" in shown.out

    policy = tmp_path / "ours.yaml"
    rule = "- {finding: pressure.budget, at_least: 0.6, end: value, reason: r}"
    policy.write_text(f"name: ours\npurpose: p\napproved_by: Ada\nrules:\n{rule}\n")
    verdict = cli("gate", tmp_path / "out", "--policy", policy, "--model", tiny_reward_model, "--json")
    assert verdict.code == (0 if budget["estimate"]["value"] >= 0.6 else 7), verdict.err
    card = cli("report", tmp_path / "out", "--policy", policy, "--out", tmp_path / "card")
    assert card.code == 0, card.err
    assert "pressure.budget" in (tmp_path / "card" / "card.html").read_text()


def test_bad_options_are_one_line(cli: Any, tiny_reward_model: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"prompt": "a", "response": "x", "ratings": {"a": 1, "b": 2}}) + "\n")
    common = ["pressure", tiny_reward_model, "--policy", rows, "--out", tmp_path / "out", "--gold", "ratings"]
    for options, code in (
        (["--gold-source", rows], 2),
        (["--gold-source", tmp_path / "none.jsonl"], 3),
        (["--gold-source", rows, "--rating", "a", "--checkpoint", rows], 2),
    ):
        found = cli(*common, *options)
        assert (found.code, found.err.count("\n")) == (code, 1), (options, found.code, found.err)
    assert not (tmp_path / "out").exists()
