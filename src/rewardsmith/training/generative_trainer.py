"""The trainer of a generative reward model: the preference loss, and that of the rationales beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from rewardsmith.losses.generative import generative_term, rationale_loss
from rewardsmith.losses.pair_batch import PairLosses
from rewardsmith.models.generative import GenerativeRewardModel
from rewardsmith.training.collator import pair_batch
from rewardsmith.training.rationales import RationaleDataset
from rewardsmith.training.trainer import RewardTrainer

_READ = ("input_ids", "attention_mask", "position_ids")
_WRITTEN = ("rationale_rows", "rationale_places")


class GenerativeTrainer(RewardTrainer):
    """A `RewardTrainer` of a `GenerativeRewardModel`: L_BT + α·L_gen a pair.

    The `loss` of its log is L_BT, so that runs of different α can be compared. Held out, the model writes the
    rationales itself, with the weights that it has by then: a given one could tell the answer.

    Args:
        alpha: α.
        token_budget: Of a batch in which rationales are written.
    """

    def __init__(
        self, model: GenerativeRewardModel, *args: Any, alpha: float, token_budget: int, **kwargs: Any
    ) -> None:
        self.alpha = alpha
        self.token_budget = token_budget
        own: Any = model
        super().__init__(own, *args, **kwargs)

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Figures over every held-out pair, each response with a rationale of the model's own."""
        dataset: RationaleDataset = self.eval_dataset if eval_dataset is None else eval_dataset  # pyright: ignore[reportAssignmentType]
        model: Any = self.accelerator.unwrap_model(self._model())
        with self.accelerator.autocast():
            rewritten = dataset.rewritten(model.network, token_budget=self.token_budget)
        return super().evaluate(rewritten, ignore_keys, metric_key_prefix)

    def _forward(
        self, model: nn.Module, inputs: Mapping[str, Any], *, progress: float | None = None
    ) -> tuple[Tensor, PairLosses]:
        """Rewards and losses; without a gradient or an α the LM head, the dearest layer, is not asked."""
        writes = self.alpha > 0 and model.training
        names = _READ + (_WRITTEN if writes else ())
        rewards, log_probs = model(**{name: inputs[name] for name in names})
        now = self.state.global_step / max(1, self.state.max_steps)
        batch = pair_batch(inputs)
        losses = self.objective(rewards, batch, progress=now if progress is None else progress)
        if not writes:
            return rewards, losses
        rationale = rationale_loss(log_probs, inputs["rationale_rows"], sequences=len(rewards))
        term = generative_term(rationale, batch.chosen, batch.rejected, alpha=self.alpha)
        return rewards, dataclasses.replace(losses, regulariser=losses.regulariser + term)
