"""`rewardsmith optimise`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.optimise.trl.policies import save_policy
from typer.testing import CliRunner

from rewardsmith.cli.main import app
from rewardsmith.core.errors import SettingsError


def test_a_recipe_with_overrides(tiny: Any, tiny_reward_model: Path, tmp_path: Path):
    policy = save_policy(tiny, tmp_path / "policy")
    recipe = tmp_path / "grpo.yaml"
    recipe.write_text("training: {steps: 9, prompts_per_step: 1, responses_per_prompt: 2, max_new_tokens: 4}\n")
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("".join(json.dumps({"prompt": each}) + "\n" for each in ("a", "b", "c")))
    command = ["optimise", "grpo", "--recipe", str(recipe), "--policy", str(policy), "--out", str(tmp_path / "out")]
    command += ["--model", str(tiny_reward_model), "--prompts", str(prompts), "--set", "training.steps=1"]
    command += ["--set", "measure.prompts=1", "--set", "measure.n=2"]
    result = CliRunner().invoke(app, [*command, "--json"], catch_exceptions=False)
    found = json.loads(result.stdout)
    assert found["kind"] == "policy"
    assert found["counts"]["steps"] == 1
    shown = CliRunner().invoke(app, command, catch_exceptions=False).stdout
    assert "as planned" in shown
    assert "ungated" in shown


def test_an_unknown_key_is_named(tmp_path: Path):
    result = CliRunner().invoke(app, ["optimise", "grpo", "--out", str(tmp_path), "--set", "traning.steps=1"])
    assert isinstance(result.exception, SettingsError)
    assert "training" in str(result.exception)
