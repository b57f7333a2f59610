"""The files for verl and OpenRLHF, loaded and called as these tools do it."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import rewardsmith
from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.optimise.reward.load import (
    CHECKER_VARIABLE,
    MODEL_VARIABLE,
    SETTINGS_VARIABLE,
    reward_of_environment,
)
from rewardsmith.scoring.load import load_scorer

FILES = Path(rewardsmith.__file__).parent / "optimise" / "reward" / "tool_files"


def loaded(name: str) -> ModuleType:
    """As verl and OpenRLHF load a file by its path."""
    spec = importlib.util.spec_from_file_location("custom_module", FILES / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def environment(tiny_reward_model: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    reward_of_environment.cache_clear()
    monkeypatch.setenv(MODEL_VARIABLE, str(tiny_reward_model))
    yield monkeypatch
    reward_of_environment.cache_clear()


def wanted(model: Path, prompt: str, response: str) -> float:
    return float(load_scorer(model).score([(user(prompt), assistant(response))]).rewards[0])


def test_verl_calls_it_once_a_response(environment: pytest.MonkeyPatch, tiny_reward_model: Path):
    environment.setenv(CHECKER_VARIABLE, "number")
    compute_score = loaded("verl_reward.py").compute_score
    found = compute_score(
        data_source="openai/gsm8k",
        solution_str="it is 4",
        ground_truth="4",
        extra_info={"split": "train", "index": 0, "question": "2 + 2?"},
    )
    proxy = wanted(tiny_reward_model, "2 + 2?", "it is 4")
    assert found["proxy"] == pytest.approx(proxy)
    assert found["score"] == pytest.approx(proxy + 1)
    assert found["verified"] == 1.0
    messages = np.array([{"role": "user", "content": "2 + 2?"}], dtype=object)
    wrong = compute_score("x", "it is 5", "4", {"prompt": messages})
    assert wrong["score"] == pytest.approx(wanted(tiny_reward_model, "2 + 2?", "it is 5"))


def test_verl_without_a_prompt_is_refused(environment: pytest.MonkeyPatch):
    del environment
    with pytest.raises(DataError, match="extra_info"):
        loaded("verl_reward.py").compute_score("x", "4", "4", {"index": 0})


def test_openrlhf_gets_tensors(environment: pytest.MonkeyPatch, tiny_reward_model: Path):
    del environment
    reward_func = loaded("openrlhf_reward.py").reward_func
    found = reward_func(queries=["hi there</s>", "a bit<|im_end|>\n"], prompts=["hi ", "a "], labels=["x", "y"], step=3)
    rewards = [wanted(tiny_reward_model, "hi ", "there"), wanted(tiny_reward_model, "a ", "bit")]
    assert found["rewards"].dtype == torch.float32
    assert found["rewards"].tolist() == pytest.approx(rewards, abs=1e-6)
    assert found["scores"].tolist() == pytest.approx([1 / (1 + math.exp(-each)) for each in rewards], abs=1e-6)
    assert found["extra_logs"]["proxy"].shape == (2,)
    with pytest.raises(DataError, match="query 0"):
        reward_func(["there"], ["hi"], ["x"])


def test_settings_that_need_a_whole_group_are_refused(environment: pytest.MonkeyPatch, tmp_path: Path):
    path = tmp_path / "reward.yaml"
    path.write_text("centre: true\n")
    environment.setenv(SETTINGS_VARIABLE, str(path))
    with pytest.raises(SettingsError, match="one response at a time"):
        reward_of_environment()
    path.write_text("clip: 0.001\n")
    assert reward_of_environment()(prompts=["a"], completions=["b"])[0] in (0.001, -0.001)
    environment.delenv(MODEL_VARIABLE)
    reward_of_environment.cache_clear()
    with pytest.raises(SettingsError, match=MODEL_VARIABLE):
        reward_of_environment()
