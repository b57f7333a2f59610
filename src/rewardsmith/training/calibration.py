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
from rewardsmith.training.collator import NETWORK_INPUTS, PreferenceCollator, pair_batch
from rewardsmith.training.precision import Precision

_SAMPLE_TOKENS = 1500
_REPEATS = 2


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured.

    Attributes:
        tokens_per_s: Padded tokens, forward and backward.
        optimiser_s: Seconds of one AdamW step.
    """

    tokens_per_s: float
    optimiser_s: float


def measure(model: RewardModel, table: PreferenceTable, *, precision: Precision, checkpointing: bool = False) -> Speed:
    """Time some preferences of middle length on the device that training would take.

    A copy of the model is used, so that neither its gradients nor its weights change.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    probe = copy.deepcopy(model).to(device).train()
    if checkpointing:
        probe.gradient_checkpointing_enable({"use_reentrant": False})
    inputs = PreferenceCollator(pad_id=0)([table.encoded(index) for index in typical(table)])
    inputs = {name: value.to(device) for name, value in inputs.items()}
    objective = Objective(LossSettings())

    def step() -> float:
        started = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            rewards = probe(**{name: inputs[name] for name in NETWORK_INPUTS})
        objective(rewards, pair_batch(inputs)).loss.mean().backward()
        _wait(device)
        return time.perf_counter() - started

    step()  # The first one pays for allocation.
    seconds = min(step() for _ in range(_REPEATS))
    return Speed(inputs["input_ids"].numel() / seconds, _optimiser_seconds(probe, device))


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
