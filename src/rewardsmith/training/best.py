"""Keeping the weights of the best evaluation."""

from __future__ import annotations

import math

from transformers import TrainerCallback


class SaveBest(TrainerCallback):
    """Asks for a checkpoint whenever the held-out loss is lower than ever before; `RewardTrainer` keeps the best one.

    The checkpoint is an ordinary one, so an interrupted run resumes from it and still knows which step was best.
    """

    def on_evaluate(self, args, state, control, metrics=None, **kwargs):  # noqa: ARG002
        """Compare with the best so far."""
        loss = (metrics or {}).get("eval_loss", math.nan)
        best = math.inf if state.best_metric is None else state.best_metric
        if loss < best:
            control.should_save = True
