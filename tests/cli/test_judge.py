"""A judge's folder goes wherever a reward model goes, against a real endpoint."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.scoring.families.judge.endpoint import Endpoint, Misbehaviour, endpoint, fair


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Endpoint]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    with endpoint(fair) as running:
        yield running


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    rows = [{"prompt": f"q{n}", "chosen": "good " * (1 + n % 3), "rejected": f"bad {n}"} for n in range(12)]
    rows += [{"prompt": f"r{n}", "chosen": f"bad {n}", "rejected": "good"} for n in range(4)]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _make(cli: Callable, running: Endpoint, folder: Path, *further: object) -> Path:
    made = cli("judge", "--base-url", running.url, "--model", "m", "--out", folder, *further)
    assert made.code == 0, made.err
    return folder


def test_a_judge_is_made_without_a_question(cli: Callable, served: Endpoint, tmp_path: Path):
    rubric = tmp_path / "rubric.txt"
    rubric.write_text("Count the word.")
    folder = _make(cli, served, tmp_path / "judge", "--rubric", rubric, "--set", "backend.concurrency=2")
    spec = json.loads((folder / "scorer.json").read_text())
    assert (spec["family"], spec["rubric"], spec["backend"]["concurrency"]) == ("judge", "Count the word.", 2)
    assert json.loads((folder / "manifest.json").read_text())["kind"] == "judge"
    assert served.bodies == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--local", "x"], "--out"),
        (["--out", "j"], "names no model"),
        (["--out", "j", "--local", "x", "--base-url", "http://y"], "names no model"),
        (["--out", "j", "--local", "x", "--set", "rubrik=1"], "did you mean 'rubric'"),
        (["--out", "j", "--local", "x", "--rubric", "missing.txt"], "cannot read the rubric"),
    ],
)
def test_what_makes_no_judge_is_said(
    cli: Callable, arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    outcome = cli("judge", *arguments)
    assert outcome.code == 2
    assert said in outcome.err


@pytest.mark.parametrize("kind", ["pointwise", "pairwise"])
def test_rows_are_scored_with_their_rationales(cli: Callable, served: Endpoint, tmp_path: Path, kind: str):
    folder = _make(cli, served, tmp_path / "judge", "--kind", kind)
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        '{"id": "a", "prompt": "q", "responses": ["good", "bad", "good good"]}\n'
        '{"id": "b", "prompt": "q", "chosen": "good", "rejected": "bad"}\n'
    )
    outcome = cli("score", folder, rows)
    assert outcome.code == 0, outcome.err
    first, second = map(json.loads, outcome.out.splitlines())
    assert first["rewards"] == ([2, 1, 3] if kind == "pointwise" else [0.5, 0, 1])
    assert second["chosen"] > second["rejected"]
    assert "I counted" in second["details"]["chosen"]["rationale"]


def test_an_endpoint_that_is_gone_is_one_line_and_a_code_of_its_own(cli: Callable, served: Endpoint, tmp_path: Path):
    folder = _make(cli, served, tmp_path / "judge", "--set", "backend.retries=0")
    served.script.append(Misbehaviour(status=500))
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "q", "response": "good"}\n')
    served.script.append(Misbehaviour(status=500))
    outcome = cli("score", folder, rows)
    assert outcome.code == 10
    assert served.url in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1


def test_it_is_evaluated_and_benchmarked_like_any_model(cli: Callable, served: Endpoint, tmp_path: Path, pairs: Path):
    folder = _make(cli, served, tmp_path / "judge", "--kind", "pairwise")
    evaluated = cli("evaluate", folder, pairs, "--json")
    assert evaluated.code == 0, evaluated.err
    assert json.loads(evaluated.out)["accuracy"]["estimate"]["value"] == 0.75
    benchmarked = cli("benchmark", folder, "pairs", pairs, "--json")
    assert benchmarked.code == 0, benchmarked.err
    assert json.loads(benchmarked.out)["figures"][0]["estimate"]["value"] == 0.75


def test_a_judge_is_measured_on_pairs(cli: Callable, served: Endpoint, tmp_path: Path, pairs: Path):
    prices = ("--set", "backend.prompt_price=1", "--set", "backend.completion_price=2")
    folder = _make(cli, served, tmp_path / "judge", "--kind", "pairwise", "--rounds", 1, *prices)
    outcome = cli("judge", "evaluate", folder, pairs, "--json")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    assert [each["accuracy"]["value"] for each in found["rounds"]] == [0.75, 0.75]
    assert found["rounds"][0]["inconsistency"]["value"] == 0.0
    assert found["usage"]["cost"] > 0
    table = cli("judge", "evaluate", folder, pairs, "--most", 5)
    assert "after critique 1" in table.out
    assert "0 requests" in table.out


def test_a_model_that_is_no_judge_is_refused(cli: Callable, tiny_reward_model: Path, pairs: Path):
    outcome = cli("judge", "evaluate", tiny_reward_model, pairs)
    assert outcome.code == 4
    assert "not a judge" in outcome.err


@pytest.mark.slow
def test_it_is_audited_though_an_answer_alone_has_no_reward(
    cli: Callable, served: Endpoint, tmp_path: Path, pairs: Path
):
    folder = _make(cli, served, tmp_path / "judge", "--kind", "pairwise")
    outcome = cli("audit", folder, pairs, "--probe", "damage", "--budget", 300, "--out", tmp_path / "audit")
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "audit" / "audit.json").is_file()
    # What was paid for outlives the audit, and an interrupted one asks only for the rest.
    asked = len(served.bodies)
    assert cli("audit", folder, pairs, "--probe", "damage", "--budget", 300, "--out", tmp_path / "again").code == 0
    assert len(served.bodies) == asked > 0
