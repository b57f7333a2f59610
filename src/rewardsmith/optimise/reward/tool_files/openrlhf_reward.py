"""A rewardsmith model as OpenRLHF's reward: `--reward.remote_url …/openrlhf_reward.py`.

Environment variables: REWARDSMITH_REWARD_MODEL (folder, hub id, or URL of `rewardsmith serve`), and where wanted
REWARDSMITH_REWARD_SETTINGS (YAML) and REWARDSMITH_REWARD_CHECKER (number, regex, package.module:function).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from rewardsmith.optimise.reward.load import reward_of_environment
from rewardsmith.optimise.reward.tools import openrlhf_rewards


def reward_func(
    queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any] | None = None, **_: Any
) -> dict[str, Any]:
    """`rewards` and `scores`, one a query, and `extra_logs`."""
    found = openrlhf_rewards(reward_of_environment(), queries, prompts, labels)
    tensors = {name: torch.tensor(found[name], dtype=torch.float32) for name in ("rewards", "scores")}
    logs = {name: torch.full((len(queries),), value) for name, value in found["extra_logs"].items()}
    return tensors | {"extra_logs": logs}
