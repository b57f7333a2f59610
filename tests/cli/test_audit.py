"""`rewardsmith audit` as a user would type it, with a small real model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

_ENDS = ("because it is warm.", "although people differ.", "and that is all.")


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    rows = [
        {
            "prompt": f"What is number {n}?",
            "chosen": f"It is {2 * n}. That holds {_ENDS[n % 3]}",
            "rejected": f"About {n}. I would not ask {_ENDS[n % 2]}",
        }
        for n in range(40)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_an_audit_prints_tables_and_writes_a_report(
    cli: Callable, tiny_reward_model: Path, pairs: Path, tmp_path: Path
):
    out = tmp_path / "out"
    outcome = cli("audit", tiny_reward_model, pairs, "--out", out, "--probe", "length", "--probe", "damage.empty")
    assert outcome.code == 0, outcome.err
    for text in ("length.padding", "length.twice", "damage.empty", "Findings", str(out / "report.html")):
        assert text in outcome.out.replace("\n", "")
    assert "format.bullets" not in outcome.out
    assert sorted(path.name for path in out.iterdir()) == [
        "audit.json", "manifest.json", "report.html", "report.md", "scores.jsonl",
    ]  # fmt: skip
    assert f"rewardsmith audit {tiny_reward_model} {pairs}" in (out / "report.html").read_text("utf-8")


def test_the_whole_default_audit_is_written(cli: Callable, tiny_reward_model: Path, pairs: Path, tmp_path: Path):
    outcome = cli("audit", tiny_reward_model, pairs, "--out", tmp_path / "audit")
    assert outcome.code == 0, outcome.err
    written = json.loads((tmp_path / "audit" / "audit.json").read_text("utf-8"))
    assert {"format", "flattery", "invariance", "fairness", "rendering"} <= {
        finding["name"].partition(".")[0] for finding in written["findings"]
    }


def test_json_is_the_audit(cli: Callable, tiny_reward_model: Path, pairs: Path):
    outcome = cli("audit", tiny_reward_model, pairs, "--probe", "flattery.opener", "--budget", 30, "--json")
    assert outcome.code == 0, outcome.err
    printed = json.loads(outcome.out)
    assert [probe["probe"] for probe in printed["probes"]] == ["flattery.opener"]
    assert printed["probes"][0]["shift"]["n"] == 30
    assert printed["texts"]["probes"] == 30


def test_the_budget_of_a_search_is_kept_and_stated(cli: Callable, tiny_reward_model: Path, pairs: Path, tmp_path: Path):
    out = tmp_path / "out"
    asked = ("--search", "--search-texts", 640, "--probe", "length.padding", "--out", out)
    outcome = cli("audit", tiny_reward_model, pairs, *asked)
    assert outcome.code == 0, outcome.err
    assert "of 640 texts so far" in outcome.err
    search = json.loads((out / "audit.json").read_text("utf-8"))["search"]
    assert 0 < search["texts"] <= search["budget"] == 640
    for name in ("report.html", "report.md"):
        assert f"{search['texts']:,} of 640 texts" in (out / name).read_text("utf-8")
    assert not out.with_name("out.work").exists()
    alone = cli("audit", tiny_reward_model, pairs, "--search-texts", 640)
    assert (alone.code, alone.out) == (2, "")


def test_mistakes_are_told_before_anything_is_scored(cli: Callable, tiny_reward_model: Path, pairs: Path):
    unknown = cli("audit", tiny_reward_model, pairs, "--probe", "formt")
    assert (unknown.code, unknown.out) == (2, "")
    assert "did you mean 'format'" in unknown.err
    small = cli("audit", tiny_reward_model, pairs, "--probe", "flattery", "--budget", 5)
    assert (small.code, small.out) == (2, "")
    assert "the budget is too small" in small.err
    taken = cli("audit", tiny_reward_model, pairs, "--probe", "flattery", "--out", pairs.parent)
    assert taken.code == 5
    assert "holds something else" in taken.err
