"""The reward trainer, taught that a loss belongs to labelled steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from rewardsmith.losses.pair_batch import PairLosses
from rewardsmith.losses.pairwise import smooth
from rewardsmith.losses.steps import is_labelled, step_loss
from rewardsmith.training.metrics import Outcomes
from rewardsmith.training.progress import ProgressLines, say
from rewardsmith.training.steps.collator import step_inputs
from rewardsmith.training.trainer import RewardTrainer

_NAMES = {
    "pairs": "labelled_steps",
    "pairs_per_s": "labelled_steps_per_s",
    "reward_mean": "logit_mean",
    "reward_min": "logit_min",
    "reward_max": "logit_max",
}
"""Figures of pairs and rewards → what they are here; those of pairs alone are left out."""

_LEFT_OUT = ("directed_pairs", "reward_ties")


class StepTrainer(RewardTrainer):
    """Trains a `StepModel` on labelled steps.

    The objective of an optimiser step is Σ loss / number of labelled steps + λ‖w‖², both over all devices. A step is a
    comparison with a reward of 0 (see `losses.steps`), so everything that `RewardTrainer` adds up for pairs it adds up
    for labelled steps: accuracy is the share on the right side of p = ½, the margin is the logit toward the label.
    """

    def _weight(self, batch: Mapping[str, Any]) -> float:
        return float(is_labelled(batch["targets"]).sum())

    def _forward(
        self,
        model: nn.Module,
        inputs: Mapping[str, Any],
        *,
        progress: float | None = None,  # noqa: ARG002 -- nothing is annealed
    ) -> tuple[Tensor, PairLosses]:
        logits = model(**step_inputs(inputs))
        targets = inputs["targets"]
        loss = step_loss(logits, smooth(targets, self.objective.settings.label_smoothing))
        weight = is_labelled(targets).to(loss.dtype)
        return logits, PairLosses(loss=loss, regulariser=torch.zeros_like(loss), weight=weight, delta=logits)

    def _outcomes(self, inputs: Mapping[str, Any], rewards: Tensor, losses: PairLosses) -> Outcomes:
        known = is_labelled(inputs["targets"])
        logits, targets, loss = (
            values[known].detach().float().cpu().numpy() for values in (rewards, inputs["targets"], losses.loss)
        )
        return Outcomes(
            losses=loss,
            weights=losses.weight[known].detach().float().cpu().numpy(),
            deltas=logits,
            prob_chosen=targets,
            rewards=logits,
            tokens=inputs["tokens"],
            computed_tokens=inputs["computed_tokens"],
        )

    def _named(self, figures: Mapping[str, float]) -> dict[str, float]:
        return {_NAMES.get(name, name): value for name, value in figures.items() if name not in _LEFT_OUT}


class StepLines(ProgressLines):
    """The lines that a person sees, with steps in the place of pairs."""

    def on_log(self, args, state, control, logs=None, **kwargs):
        """Print the line."""
        if not logs or "eval_loss" not in logs:
            super().on_log(args, state, control, logs=logs, **kwargs)
        elif state.is_world_process_zero:
            figures = f"loss {logs['eval_loss']:.4f}  accuracy {logs['eval_accuracy']:.3f}"
            say(f"step {state.global_step}  held out: {figures}  on {logs['eval_labelled_steps']} labelled steps")
