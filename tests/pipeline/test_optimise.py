"""A whole run by each method, from files to an artefact."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.optimise.trl.policies import save_policy

from rewardsmith.core.errors import DataError, ModelError, SettingsError
from rewardsmith.core.settings import parse_settings
from rewardsmith.core.store import load_settings, verify_artefact
from rewardsmith.models.causal_lm import load_causal_lm
from rewardsmith.optimise.policy.policy import Prompt
from rewardsmith.optimise.ppo.store import LOG_NAME, read_log
from rewardsmith.optimise.settings import OptimiseSettings
from rewardsmith.pipeline.dpo_pairs import load_dpo_pairs, split_prompts
from rewardsmith.pipeline.optimise import PICTURE_NAME, optimise

QUESTIONS = ("1 + 1?", "1 + 2?", "1 + 3?", "1 + 4?")


@pytest.fixture(scope="module")
def policy(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_policy(tiny, tmp_path_factory.mktemp("policy"))


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prompts") / "prompts.jsonl"
    path.write_text("".join(json.dumps({"prompt": each, "answer": "7"}) + "\n" for each in QUESTIONS))
    return path


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    rows = [{"prompt": each, "chosen": "It is a number.", "rejected": "No."} for each in QUESTIONS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def settings(policy: Path, **changes: Any) -> OptimiseSettings:
    values: dict[str, Any] = {
        "policy": str(policy),
        "measure": {"prompts": 2, "n": 2, "every_steps": 2},
        "training": {"steps": 2, "prompts_per_step": 2, "responses_per_prompt": 2, "max_new_tokens": 6},
        "ppo": {"steps": 2, "prompts_per_step": 2, "max_new_tokens": 6, "epochs": 1},
    }
    return parse_settings(OptimiseSettings, values | changes, where="test")


@pytest.mark.parametrize("method", ["grpo", "rloo", "ppo"])
def test_a_run_against_a_reward_model(
    method: Any, policy: Path, prompts: Path, tiny_reward_model: Path, tmp_path: Path
):
    out = tmp_path / "out"
    chosen = settings(
        policy,
        reward_model=str(tiny_reward_model),
        prompts=str(prompts),
        checker="number",
        gold={"kind": "model", "source": str(tiny_reward_model)},
    )
    manifest = optimise(method, chosen, out)
    assert verify_artefact(out, "policy") == manifest
    assert manifest.counts["gate"]["state"] == "ungated"
    assert "warning" in manifest.counts["gate"]
    assert (manifest.counts["prompts"], manifest.counts["fresh_prompts"]) == (2, 2)
    lines = read_log(out / LOG_NAME)
    assert len(lines) == manifest.counts["steps"] == 2
    assert {"kl_nats", "gold", "gold_low", "proxy", "verified", "beta"} <= lines[-1].keys()
    assert "<svg" in (out / PICTURE_NAME).read_text()
    assert not (tmp_path / "out.work").exists()
    load_causal_lm(out)
    before = (out / LOG_NAME).stat().st_mtime_ns
    assert optimise(method, chosen, out) == manifest
    assert (out / LOG_NAME).stat().st_mtime_ns == before


def test_the_manifest_says_what_the_reward_was(policy: Path, prompts: Path, tiny_reward_model: Path, tmp_path: Path):
    chosen = settings(
        policy, reward_model=str(tiny_reward_model), prompts=str(prompts), reward={"clip": 2.0},
        anchor={"kind": "adaptive", "beta": 0.1}, stop={"most_nats": 1e-9},
    )  # fmt: skip
    config = optimise("grpo", chosen, tmp_path / "out").config
    assert config["method"] == "grpo"
    assert config["reward"]["clip"] == 2.0
    assert config["anchor"]["kind"] == "adaptive"
    assert config["reward_provenance"]["model"] == str(tiny_reward_model)
    assert len(config["reward_provenance"]["model_digest"]) > 10


def test_dpo_on_judged_pairs_needs_no_reward_model(policy: Path, pairs: Path, tmp_path: Path):
    manifest = optimise("dpo", settings(policy, pairs=str(pairs)), tmp_path / "out")
    assert manifest.counts["gate"] == {"state": "no reward model"}
    assert manifest.counts["pairs_by_fate"] == {"pairs": 4, "ties": 0, "even": 0}
    assert manifest.counts["pairs"] == 2
    last = read_log(tmp_path / "out" / LOG_NAME)[-1]
    assert {"kl_nats", "accuracy", "margin", "loss"} <= last.keys()
    load_causal_lm(tmp_path / "out")


def test_pairs_of_a_best_of_run(tmp_path: Path):
    line = {
        "prompt": [{"role": "user", "content": "p"}],
        "group": "g",
        "samples": [{"text": "a"}, {"text": "b"}, {"text": "c"}],
        "rewards": [1.0, None, 3.0],
    }
    (tmp_path / "best_of.jsonl").write_text(json.dumps(line) + "\n")
    found, fates = load_dpo_pairs(str(tmp_path), least_margin=0.5)
    assert [(each.chosen[0].content, each.rejected[0].content, each.margin) for each in found] == [("c", "a", 2.0)]
    assert fates["pairs"] == 1
    with pytest.raises(DataError, match="no pair"):
        load_dpo_pairs(str(tmp_path), least_margin=5.0)


def test_prompts_are_set_aside_by_group():
    made: list[Prompt] = [((), name) for name in "aabbccdd"]
    train, fresh = split_prompts(made, wanted=2, seed=0)
    assert (len(train), len(fresh)) == (4, 4)
    assert not {group for _, group in train} & {group for _, group in fresh}
    assert split_prompts(made, wanted=2, seed=0) == (train, fresh)
    with pytest.raises(DataError, match="too few prompts"):
        split_prompts(made, wanted=4, seed=0)


def test_what_does_not_go_together_is_refused(policy: Path, prompts: Path, tmp_path: Path):
    out = tmp_path / "out"
    with pytest.raises(SettingsError, match="reward_model"):
        optimise("grpo", settings(policy, prompts=str(prompts)), out)
    with pytest.raises(SettingsError, match="pairs"):
        optimise("dpo", settings(policy), out)
    whole = {"reward_model": "m", "prompts": str(prompts)}
    with pytest.raises(SettingsError, match="one response a prompt"):
        optimise("ppo", settings(policy, reward={"centre": True}, **whole), out)
    with pytest.raises(SettingsError, match="every row"):
        optimise("ppo", settings(policy, reward={"task": "t", "tasks": ["a"]}, **whole), out)
    with pytest.raises(SettingsError, match="accumulation"):
        settings(policy, training={"prompts_per_step": 3, "accumulation": 2})


def test_an_adapter_is_refused(tiny_reward_model: Path, prompts: Path, tmp_path: Path):
    (tmp_path / "adapter_config.json").write_text("{}")
    chosen = settings(tmp_path, reward_model=str(tiny_reward_model), prompts=str(prompts))
    with pytest.raises(ModelError, match="adapter"):
        optimise("grpo", chosen, tmp_path / "out")


@pytest.mark.parametrize("name", ["dpo", "grpo", "rloo", "ppo"])
def test_the_recipes_load_and_are_watched(name: str):
    folder = Path(__file__).parents[2] / "recipes" / "optimise"
    chosen = load_settings(OptimiseSettings, folder / f"{name}.yaml")
    # Pairs are named on the command line.
    assert (chosen.prompts is None) == (name == "dpo")
    assert chosen.gold is not None
