"""Training that goes wrong is stopped or named at once: NaN, infinities, rewards that drift away."""

from __future__ import annotations

import logging
import math
from typing import Any

import torch
from torch import Tensor
from transformers import TrainerCallback

from rewardsmith.core.errors import ModelError
from rewardsmith.training.metrics import largest_reward

logger = logging.getLogger(__name__)

_FIX = "lower training.learning_rate, raise training.warmup_share, or set training.precision: float32"


def require_finite_loss(loss: Tensor, *, step: int) -> None:
    """Raise before a loss that is no number reaches a weight.

    Raises:
        ModelError: It is NaN or infinite.
    """
    if not torch.isfinite(loss):
        raise ModelError("the loss is not a number", got=loss.item(), where=f"optimiser step {step}", fix=_FIX)


def require_finite_gradient(norm: Any, *, step: int) -> None:
    """Raise before a gradient that is no number moves a weight.

    Raises:
        ModelError: Its norm is NaN or infinite.
    """
    value = float(norm)
    if not math.isfinite(value):
        raise ModelError("the gradient is not a number", got=value, where=f"optimiser step {step}", fix=_FIX)


class DriftWarning(TrainerCallback):
    """Warns once when a reward passes the limit in absolute value.

    Comparisons fix differences only, so the rewards of a prompt may drift together without any change of the loss; and
    their scale grows as long as every training pair is already in the right order.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.warned = False

    def on_log(self, args, state, control, logs=None, **kwargs):  # noqa: ARG002
        """Look at the rewards of the line."""
        sizes = [largest_reward(logs or {}, prefix=prefix) for prefix in ("", "eval_")]
        largest = max((size for size in sizes if not math.isnan(size)), default=0.0)
        if largest > self.limit and not self.warned and state.is_world_process_zero:
            self.warned = True
            logger.warning(
                "a reward has the size %.0f at step %d (limit %.0f): set loss.centring: 0.01 or loss.readout_l2, or "
                "train less",
                largest,
                state.global_step,
                self.limit,
            )
