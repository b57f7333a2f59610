"""How a model's batches are laid out, decided by trying it on the training set before the first step."""

from __future__ import annotations

import logging
from typing import Literal, cast

import accelerate
import numpy as np
import torch

from rewardsmith.models.packing import enable_packing
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.preferences.table import PreferenceTable
from rewardsmith.training.collator import Layout

logger = logging.getLogger(__name__)

_CPU_BUDGET = 2048
_GPU_BUDGET = 16_384


def choose_layout(model: RewardModel, table: PreferenceTable, *, packing: Literal["auto", "never"]) -> Layout:
    """The layout that gives `model` the least to compute, with one line in the log where it cannot pack.

    The model is moved to the device that it will be trained on. The longest and a middle preference are tried, since a
    short sequence would not show that an attention window is too narrow.
    """
    if packing == "never":
        return "padded"
    model.to(_device())
    order = table.longest.argsort(kind="stable")
    tried = [table.encoded(int(order[place])) for place in (-1, len(order) // 2)]
    reason = enable_packing(model, [np.concatenate([each.prefix, tail]) for each in tried for tail in each.tails])
    if reason is not None:
        logger.warning("responses are padded, not packed, which is slower: %s", reason)
        return "padded"
    return "shared" if model.is_decoder else "separate"


def token_budget(wanted: int | None) -> int:
    """Most tokens in one pass: what the settings say, else what suits the device."""
    return wanted or (_CPU_BUDGET if _device().type == "cpu" else _GPU_BUDGET)


def _device() -> torch.device:
    """Where this process will train."""
    return cast(torch.device, accelerate.PartialState().device)
