"""The lines of a run: what each step was, under the same names whatever trained the policy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Line = dict[str, float]

_NAMES = {
    "reward": "reward",
    "reward_std": "reward_sd",
    "proxy": "proxy",
    "format": "format",
    "spread": "spread",
    "verified": "verified",
    "completions/mean_length": "length",
    "frac_reward_zero_std": "level_prompts",
    "entropy": "entropy",
    "loss": "loss",
    "grad_norm": "grad_norm",
    # The trainer's own mean over tokens, of the responses that it trains on: not a KL of responses.
    "kl": "trainer_nats_a_token",
    "rewards/accuracies": "accuracy",
    "rewards/margins": "margin",
}


def trl_line(step: int, logs: Mapping[str, Any], *, beta: float) -> Line:
    """A line of TRL's log in our names.

    `reward` is shaped and `proxy` is not; `finished` is the share of responses that ended by themselves;
    `trainer_nats_a_token` is what TRL calls `kl`. What is absent or not finite is left out.

    Args:
        step: Optimiser steps so far.
        beta: With which the step was made.
    """
    line: Line = {"step": float(step), "beta": beta}
    for name, own in _NAMES.items():
        value = logs.get(name)
        if isinstance(value, (int, float)) and math.isfinite(value):
            line[own] = float(value)
    cut = logs.get("completions/clipped_ratio")
    if isinstance(cut, (int, float)) and math.isfinite(cut):
        line["finished"] = 1.0 - float(cut)
    return line


def best_step(lines: Sequence[Mapping[str, float]]) -> int | None:
    """The step whose gold has the highest lower end; `None` where gold was never rated."""
    known = [line for line in lines if "gold_low" in line]
    return int(max(known, key=lambda line: line["gold_low"])["step"]) if known else None
