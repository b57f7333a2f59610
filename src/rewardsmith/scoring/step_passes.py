"""Solutions through a step model: packed where the model can, padded where it cannot."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32

from rewardsmith.batching.prefixes import Ids
from rewardsmith.batching.step_batch import Places, StepLayout, plan_steps, step_batch
from rewardsmith.core.progress import TokenBar
from rewardsmith.models.packing import enable_packing
from rewardsmith.models.steps.model import StepModel

logger = logging.getLogger(__name__)

_CPU_BUDGET = 2048
_GPU_BUDGET = 8192


class StepPasses:
    """Runs a step model over solutions, some at a time under a token budget.

    Whether the model can be given packed solutions is found by trying it on the first and on every longer one. A
    decoder computes the problem of several solutions once.

    Args:
        model: Put into evaluation mode for the time of a run.
        pad_id: Fills padded batches.
        token_budget: Most tokens in one pass, padding included; a longer solution goes by itself. Where absent 2,048 on
            a CPU and 8,192 on a GPU.
        packs: Try packing; else one solution at a time, without padding (the reference).
        uses_bf16: The network runs in bfloat16; the head in float32 always.
    """

    def __init__(
        self,
        model: StepModel,
        *,
        pad_id: int,
        token_budget: int | None = None,
        packs: bool = True,
        uses_bf16: bool = False,
    ) -> None:
        self.model = model
        self._pad_id = pad_id
        self._budget = token_budget or (_CPU_BUDGET if model.device.type == "cpu" else _GPU_BUDGET)
        self._is_reference = not packs
        self._packs = packs
        self._uses_bf16 = uses_bf16
        self._longest_tried = 0
        self.computed_tokens = 0

    def logits(self, sequences: Sequence[Ids], places: Sequence[Places]) -> list[Float32[np.ndarray, " step"]]:
        """The logit of each step of each solution, in order."""
        return self._run(sequences, places, is_logit=True)

    def features(self, sequences: Sequence[Ids], places: Sequence[Places]) -> list[Float32[np.ndarray, "step hidden"]]:
        """What the head reads of each step of each solution, in order."""
        return self._run(sequences, places, is_logit=False)

    def _run(self, sequences: Sequence[Ids], places: Sequence[Places], *, is_logit: bool) -> list[Any]:
        values: list[Any] = [None] * len(sequences)
        if not len(sequences):
            return values
        layout = self._layout(sequences)
        plan = plan_steps(sequences, layout=layout, max_tokens=1 if self._is_reference else self._budget)
        was_training = self.model.training
        self.model.eval()
        try:
            with TokenBar("steps", total=len(sequences)) as bar, torch.inference_mode(), self._precision():
                for numbers in plan:
                    some = [places[number] for number in numbers]
                    batch = step_batch([sequences[n] for n in numbers], some, layout=layout, pad_id=self._pad_id)
                    found = self._values(batch.inputs, is_logit=is_logit)
                    for number, own in zip(numbers, np.split(found, np.cumsum([*map(len, some)])[:-1]), strict=True):
                        values[number] = own
                    self.computed_tokens += batch.computed_tokens
                    bar.advance(len(numbers), tokens=batch.computed_tokens)
        finally:
            self.model.train(was_training)
        return values

    def _values(self, inputs: dict[str, np.ndarray], *, is_logit: bool) -> np.ndarray:
        tensors = {name: torch.from_numpy(values).to(self.model.device) for name, values in inputs.items()}
        features = self.model.features(**tensors)
        return (self.model.readout(features) if is_logit else features).cpu().numpy()

    def _layout(self, sequences: Sequence[Ids]) -> StepLayout:
        """Try the longest sequence, wherever it is longer than all that were tried: a window may be too narrow."""
        longest = max(sequences, key=len)
        if self._packs and len(longest) > self._longest_tried:
            reason = enable_packing(self.model, [longest, min(sequences, key=len)])
            self._packs, self._longest_tried = reason is None, len(longest)
            if reason is not None:
                logger.warning("solutions are padded, not packed, which is slower: %s", reason)
        if not self._packs:
            return "padded"
        return "shared" if self.model.is_decoder else "separate"

    def _precision(self) -> AbstractContextManager[object]:
        if self._uses_bf16:
            return torch.autocast(self.model.device.type, dtype=torch.bfloat16)
        return nullcontext()
