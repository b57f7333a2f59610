"""How fast this machine trains this model: a few preferences, forward and backward, against the clock."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass

import torch

from rewardsmith.losses.objective import Objective
from rewardsmith.losses.settings import LossSettings
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.preferences.table import PreferenceTable
from rewardsmith.training.collator import Layout, PreferenceCollator, network_inputs, pair_batch
from rewardsmith.training.precision import Precision

_SAMPLE_TOKENS = 1500
_REPEATS = 2


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured.

    Attributes:
        tokens_per_s: Computed tokens, forward and backward.
        optimiser_s: Seconds of one AdamW step.
    """

    tokens_per_s: float
    optimiser_s: float


def measure(
    model: RewardModel,
    table: PreferenceTable,
    *,
    layout: Layout,
    precision: Precision,
    checkpointing: bool = False,
) -> Speed:
    """Time some preferences of middle length on the device that training would take.

    A copy of the model is used, so that neither its gradients nor its weights change.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    probe = copy.deepcopy(model).to(device).train()
    if checkpointing:
        probe.gradient_checkpointing_enable({"use_reentrant": False})
    collator = PreferenceCollator(0, layout=layout, token_budget=4 * _SAMPLE_TOKENS)
    (inputs,) = collator([table.encoded(index) for index in typical(table)])
    inputs = {name: value.to(device) if isinstance(value, torch.Tensor) else value for name, value in inputs.items()}
    computed = int(inputs["computed_tokens"])
    objective = Objective(LossSettings())

    def step() -> float:
        started = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            rewards = probe(**network_inputs(inputs))
        objective(rewards, pair_batch(inputs)).loss.mean().backward()
        _wait(device)
        return time.perf_counter() - started

    step()  # The first one pays for allocation.
    seconds = min(step() for _ in range(_REPEATS))
    return Speed(computed / seconds, _optimiser_seconds(probe, device))


def typical(table: PreferenceTable) -> list[int]:
    """Preferences around the median length, as many as some fifteen hundred padded tokens hold, and at least one."""
    order = table.longest.argsort(kind="stable").tolist()
    middle = len(order) // 2
    longest = int(table.longest[order[middle]])
    room = max(1, _SAMPLE_TOKENS // (2 * longest))
    start = max(0, min(middle - room // 2, len(order) - room))
    return order[start : start + room]


def _optimiser_seconds(probe: RewardModel, device: torch.device) -> float:
    optimiser = torch.optim.AdamW([weight for weight in probe.parameters() if weight.requires_grad], lr=0.0)
    optimiser.step()  # Makes the moments.
    started = time.perf_counter()
    optimiser.step()
    _wait(device)
    return time.perf_counter() - started


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
