"""Solutions to tensors, cut into micro-batches under a token budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rewardsmith.batching.step_batch import StepLayout, plan_steps, step_batch
from rewardsmith.text.steps import EncodedSteps
from rewardsmith.training.steps.dataset import FeaturedSteps, TargetedSteps

_NETWORK_INPUTS = ("input_ids", "attention_mask", "position_ids", "ends", "places", "states")

MicroBatch = dict[str, Any]


class StepCollator:
    """A micro-batch is one flat dictionary: what `StepModel.forward` takes, `targets` (NaN where a step has no label),
    and two counts: `tokens` of its solutions, each with its prompt, and `computed_tokens`.

    `None` (a device without work) becomes a solution of one token and one step without a label, so that the device
    takes part in the step and adds nothing to it.
    """

    def __init__(self, pad_id: int, *, layout: StepLayout, token_budget: int) -> None:
        self.pad_id = pad_id
        self.layout: StepLayout = layout
        self.token_budget = token_budget

    def __call__(self, traces: Sequence[TargetedSteps | None]) -> list[MicroBatch]:
        known = [_filler(self.pad_id) if each is None else each for each in traces]
        sequences = [each.encoded.input_ids for each in known]
        plan = plan_steps(sequences, layout=self.layout, max_tokens=self.token_budget)
        return [self._micro_batch([known[number] for number in numbers]) for numbers in plan]

    def _micro_batch(self, traces: Sequence[TargetedSteps]) -> MicroBatch:
        batch = step_batch(
            [each.encoded.input_ids for each in traces],
            [each.encoded.places for each in traces],
            layout=self.layout,
            pad_id=self.pad_id,
        )
        targets = np.concatenate([each.targets for each in traces])
        counts = {"tokens": sum(len(each.encoded.input_ids) for each in traces)}
        tensors = {name: torch.from_numpy(values) for name, values in batch.inputs.items()}
        return tensors | {"targets": torch.from_numpy(targets)} | counts | {"computed_tokens": batch.computed_tokens}


class StepFeatureCollator:
    """Makes one micro-batch of solutions whose states are known; the network computes nothing for it.

    `None` (a device without work) becomes a step without a label.
    """

    def __init__(self, width: int) -> None:
        self.width = width

    def __call__(self, traces: Sequence[FeaturedSteps | None]) -> list[MicroBatch]:
        nothing = FeaturedSteps(np.zeros((1, self.width), np.float32), np.full(1, np.nan, np.float32), 0)
        known = [nothing if each is None else each for each in traces]
        tensors = {name: np.concatenate([getattr(each, name) for each in known]) for name in ("states", "targets")}
        counts = {"tokens": sum(each.tokens for each in known), "computed_tokens": 0}
        return [{name: torch.from_numpy(values) for name, values in tensors.items()} | counts]


def step_inputs(batch: Mapping[str, Any]) -> dict[str, Tensor]:
    """What `StepModel.forward` takes of a micro-batch."""
    return {name: batch[name] for name in _NETWORK_INPUTS if name in batch}


def _filler(pad_id: int) -> TargetedSteps:
    nothing = EncodedSteps(np.array([pad_id], np.int32), np.zeros(1, np.int64), 0)
    return TargetedSteps(nothing, np.full(1, np.nan, np.float32))
