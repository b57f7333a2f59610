"""The trainer of a residual reward: one more parameter, with a step size of its own."""

from __future__ import annotations

from typing import Any

import torch

from rewardsmith.models.residual_model import ResidualModel
from rewardsmith.training.trainer import RewardTrainer


class ResidualTrainer(RewardTrainer):
    """A `RewardTrainer` of a `ResidualModel`.

    The scale of the prior, where it is learnt, moves at `scale_learning_rate` on the schedule of the other weights, and
    does not decay: a pull towards 0 would be a pull away from the prior. It lies in every checkpoint, with its moments.
    """

    def __init__(self, model: ResidualModel, *args: Any, scale_learning_rate: float, **kwargs: Any) -> None:
        self.scale_learning_rate = scale_learning_rate
        own: Any = model
        super().__init__(own, *args, **kwargs)

    def create_optimizer(self, *args: Any, **kwargs: Any) -> torch.optim.Optimizer:
        """The `Trainer`'s, with the scale in a group of its own."""
        is_new = self.optimizer is None
        optimizer = super().create_optimizer(*args, **kwargs)
        scale = self._residual_model().prior_scale
        if is_new and scale.requires_grad:
            for group in optimizer.param_groups:
                group["params"] = [each for each in group["params"] if each is not scale]
            optimizer.add_param_group({"params": [scale], "lr": self.scale_learning_rate, "weight_decay": 0.0})
        return optimizer

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """The `RewardTrainer`'s lines, those of training with the scale where it is learnt."""
        model = self._residual_model()
        if "loss" in logs and model.prior_scale.requires_grad:
            logs = logs | {"prior_scale": model.scale}
        super().log(logs, start_time)

    def _residual_model(self) -> ResidualModel:
        model: Any = self.accelerator.unwrap_model(self._model())
        return model
