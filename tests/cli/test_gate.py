from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.audit.planted import length_meter, many

from rewardsmith.audit.evaluate import evaluate
from rewardsmith.audit.store import write_evaluation
from rewardsmith.core.store import verify_artefact

PAIRS = "".join(
    json.dumps({"prompt": f"What is {n} + {n}?", "chosen": f"It is {2 * n}.", "rejected": "No idea."}) + "\n"
    for n in range(30)
)


@pytest.fixture(scope="module")
def biased(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluation of a model that rewards length and nothing else."""
    folder = tmp_path_factory.mktemp("gate") / "evaluation"
    write_evaluation(evaluate(length_meter(), many(300, longer_share=0.8)), folder)
    return folder


def test_a_length_biased_model_fails_with_the_right_reason_and_exit_code(cli: Callable, biased: Path, tmp_path: Path):
    outcome = cli("gate", biased, "--policy", "optimise", "--out", tmp_path / "verdict")
    assert outcome.code == 7
    assert "optimise: FAILED" in outcome.out
    values = json.loads((tmp_path / "verdict" / "verdict.json").read_text())
    failed = {reason["finding"] for reason in values["reasons"] if reason["outcome"] == "failed"}
    assert {"length.against", "length.correlation", "accuracy.over.longer_wins"} <= failed
    missing = {reason["finding"] for reason in values["reasons"] if reason["outcome"] == "missing"}
    assert {"leakage.prompts", "shift.fresh", "pressure.turn", "length.padding"} <= missing
    assert set(verify_artefact(tmp_path / "verdict", "verdict").parents) == {"evaluation", "model"}


def test_what_is_not_measured_has_a_code_of_its_own(cli: Callable, biased: Path, tmp_path: Path):
    policy = tmp_path / "ours.yaml"
    policy.write_text(
        "name: ours\npurpose: p\napproved_by: Ada\nrules:\n- {finding: shift.fresh, at_least: 0.8, reason: r}\n"
    )
    outcome = cli("gate", biased, "--policy", policy, "--json")
    assert outcome.code == 8
    assert json.loads(outcome.out)["status"] == "not enough evidence"


def test_a_rule_can_ask_for_a_benchmark_of_the_same_weights(cli: Callable, tiny_reward_model: Path, tmp_path: Path):
    (tmp_path / "pairs.jsonl").write_text(PAIRS)
    pairs, out = tmp_path / "pairs.jsonl", tmp_path / "benchmark"
    assert cli("benchmark", tiny_reward_model, "pairs", pairs, "--out", out).code == 0
    assert cli("evaluate", tiny_reward_model, pairs, "--out", tmp_path / "evaluation").code == 0
    policy = tmp_path / "ours.yaml"
    rule = "- {finding: benchmark.pairs, at_least: 0, end: value, reason: r}"
    policy.write_text(f"name: ours\npurpose: p\napproved_by: Ada\nrules:\n{rule}\n")
    asked = ("--policy", policy, "--model", tiny_reward_model)
    outcome = cli("gate", out, tmp_path / "evaluation", *asked)
    assert outcome.code == 0, outcome.err
    assert cli("gate", tmp_path / "evaluation", *asked).code == 8


def test_a_model_that_passes_is_code_zero(cli: Callable, biased: Path):
    outcome = cli("gate", biased, "--policy", "research")
    assert outcome.code == 0
    assert "research: PASSED" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--policy", "optimize"], 2, "no such policy"),
        (["--policy", "research", "--model", "."], 5, "another model"),
    ],
)
def test_errors_are_told_from_verdicts(cli: Callable, biased: Path, arguments: list, code: int, message: str):
    outcome = cli("gate", biased, *arguments)
    assert outcome.code == code
    assert message in outcome.err


def test_a_folder_that_is_no_audit_is_an_error(cli: Callable, tmp_path: Path):
    assert cli("gate", tmp_path, "--policy", "research").code == 5


def test_the_card_is_written_whatever_the_verdict(cli: Callable, biased: Path, tmp_path: Path):
    outcome = cli("report", biased, "--policy", "optimise", "--out", tmp_path / "card")
    assert outcome.code == 0
    assert "optimise: FAILED" in outcome.out
    assert "FAILED" in (tmp_path / "card" / "card.html").read_text()
    assert (tmp_path / "card" / "README.md").read_text().startswith("---\nlibrary_name: transformers\n")


def test_a_model_beside_itself_shows_no_regression(cli: Callable, tiny_reward_model: Path, tmp_path: Path):
    (tmp_path / "pairs.jsonl").write_text(PAIRS)
    pair = (tiny_reward_model, tiny_reward_model, tmp_path / "pairs.jsonl")
    outcome = cli("compare", *pair, "--out", tmp_path / "comparison", "--json")
    assert outcome.code == 0
    values = json.loads(outcome.out)
    assert values["pairs"] == 30
    assert {one["difference"]["value"] for one in values["differences"]} == {0.0}
    verify_artefact(tmp_path / "comparison", "comparison")
    table = cli("compare", *pair)
    assert table.code == 0
    assert "all pairs" in table.out
