"""`rewardsmith ensemble`."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "pairs.jsonl"
    rows = [{"prompt": f"Say {n}.", "chosen": f"yes {n}", "rejected": f"no {n * n}"} for n in range(12)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_models_become_an_ensemble_that_scores(cli, tiny_reward_model, pairs, tmp_path):
    out = tmp_path / "e"
    outcome = cli(
        "ensemble", tiny_reward_model, tiny_reward_model, "--data", pairs, "--out", out, "--rule", "worst", "--json"
    )

    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["config"]["ensemble"] == {"rule": "worst", "weight": 0.5, "average": "none"}
    scored = cli("score", out, pairs)
    assert scored.code == 0, scored.err
    assert len(scored.out.splitlines()) == 12
    assert (
        "worst"
        in cli("ensemble", tiny_reward_model, tiny_reward_model, "--data", pairs, "--out", out, "--rule", "worst").out
    )


def test_without_a_reference_set_there_is_no_common_scale(cli, tiny_reward_model, tmp_path):
    outcome = cli("ensemble", tiny_reward_model, tiny_reward_model, "--out", tmp_path / "e")
    assert outcome.code == 2
    assert "--data" in outcome.err


def test_weights_are_averaged_without_data(cli, tiny_reward_model, tmp_path):
    outcome = cli("ensemble", tiny_reward_model, tiny_reward_model, "--out", tmp_path / "mean", "--average")
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "mean" / "model.safetensors").is_file()


def test_it_explains_itself(cli):
    outcome = cli("ensemble", "--help")
    assert outcome.code == 0
    assert "--rule" in outcome.out
