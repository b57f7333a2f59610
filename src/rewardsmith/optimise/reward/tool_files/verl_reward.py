"""A rewardsmith model as verl's reward: `custom_reward_function.path=…/verl_reward.py`, its name `compute_score`.

Environment variables: REWARDSMITH_REWARD_MODEL (folder, hub id, or URL of `rewardsmith serve`), and where wanted
REWARDSMITH_REWARD_SETTINGS (YAML) and REWARDSMITH_REWARD_CHECKER (number, regex, package.module:function).
"""

from __future__ import annotations

from typing import Any

from rewardsmith.optimise.reward.load import reward_of_environment
from rewardsmith.optimise.reward.tools import verl_score


def compute_score(
    data_source: str, solution_str: str, ground_truth: Any, extra_info: dict[str, Any] | None = None, **_: Any
) -> dict[str, Any]:
    """`{"score": reward, "proxy": …}` of one response. `extra_info` must hold `prompt`, `raw_prompt` or `question`."""
    return verl_score(reward_of_environment(), data_source, solution_str, ground_truth, extra_info)
