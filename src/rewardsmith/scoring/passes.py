"""Token ids through the network: packed where the model can, padded where it cannot."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor, nn

from rewardsmith.batching import buckets, packing, prefixes
from rewardsmith.batching.collate import pad
from rewardsmith.core.freed_memory import keep_freed_memory
from rewardsmith.models import head
from rewardsmith.models.adapter_ensemble import AdapterEnsemble
from rewardsmith.models.bfloat16_weights import Bfloat16Weights
from rewardsmith.models.packing import enable_packing
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.scoring.limits import Ids

logger = logging.getLogger(__name__)

_SHARED_IN_TRIAL, _OWN_IN_TRIAL = 8, 24
"""Tokens of what a model is tried on beside the longest sequence: a common beginning, and an end of its own."""

_TOKENS_MULTIPLE = 16
"""Numbers of tokens in bfloat16 on a CPU are multiples of it: oneDNN compiles each product for each number of tokens,
which for a short text takes a fifth of its time."""

Network = RewardModel | AdapterEnsemble
"""Gives a number a sequence, or one a member and sequence."""

OnPass = Callable[[Sequence[int], Float32[np.ndarray, "sequence ..."], int], None]
"""Called after each pass with the numbers of its sequences, their values, and the tokens that went in."""


class Passes:
    """Runs a model over sequences, some at a time under a token budget.

    Whether the model can be given packed sequences is found by trying it on the first and on every longer one.

    Args:
        model: Put into evaluation mode for the time of a run.
        pad_id: Fills padded batches.
        token_budget: Most tokens in one pass, padding included; a longer sequence goes by itself.
        uses_bf16: The network runs in bfloat16; the head in float32 always.
    """

    def __init__(self, model: Network, *, pad_id: int, token_budget: int, uses_bf16: bool) -> None:
        self._model = model
        self._pad_id = pad_id
        self._token_budget = token_budget
        self._uses_bf16 = uses_bf16
        self._packs = True
        self._is_fixed = False
        self._longest_tried = 0
        self._bfloat16 = Bfloat16Weights(_backbones(model))
        if model.device.type == "cpu":
            keep_freed_memory()

    def run(self, sequences: Sequence[Ids], *, is_reward: bool, on_pass: OnPass) -> None:
        """Hand the rewards, or the features, of at least one sequence to `on_pass`, each once."""
        self._try_packing(sequences)
        with self._evaluating(), self._precision(), torch.inference_mode():
            for batch in self._plan(sequences):
                values, tokens = self._batch([sequences[index] for index in batch], is_reward=is_reward)
                on_pass(batch, values, tokens)

    def _try_packing(self, sequences: Sequence[Ids]) -> None:
        """Try the longest sequence, wherever it is longer than all that were tried: a window may be too narrow."""
        longest = max(sequences, key=len)
        if not self._packs or len(longest) <= self._longest_tried:
            return
        beside = np.concatenate([longest[:_SHARED_IN_TRIAL], min(sequences, key=len)[-_OWN_IN_TRIAL:]])
        reason = enable_packing(self._model, [longest, beside])
        self._packs, self._longest_tried = reason is None, len(longest)
        if reason is not None:
            logger.warning("conversations are padded, not packed, which is slower: %s", reason)

    def _plan(self, sequences: Sequence[Ids]) -> list[list[int]]:
        if self._packs and self._model.is_decoder:
            return packing.fill_shared(sequences, max_tokens=self._token_budget)
        lengths = [len(ids) for ids in sequences]
        if self._packs:
            return packing.fill(lengths, max_tokens=self._token_budget)
        return buckets.plan(lengths, max_tokens=self._token_budget)

    def _batch(self, sequences: Sequence[Ids], *, is_reward: bool) -> tuple[Float32[np.ndarray, "sequence ..."], int]:
        inputs = self._packed(sequences) if self._packs else self._padded(sequences)
        features = self._model.features(**inputs)
        values = self._model.readout(features) if is_reward else features
        return values.cpu().numpy(), inputs["input_ids"].numel()

    def _packed(self, sequences: Sequence[Ids]) -> dict[str, Tensor]:
        row = prefixes.shared(sequences) if self._model.is_decoder else prefixes.separate(sequences)
        missing = -len(row.input_ids) % _TOKENS_MULTIPLE if self._uses_bf16 and self._model.device.type == "cpu" else 0
        packed = packing.pack([row, packing.filler(missing)] if missing else [row])
        return {
            "input_ids": self._tensor(packed.input_ids[None]),
            "attention_mask": self._tensor(packed.segments),
            "position_ids": self._tensor(packed.position_ids[None]),
            "ends": self._tensor(packed.ends),
        }

    def _padded(self, sequences: Sequence[Ids]) -> dict[str, Tensor]:
        padded = pad(sequences, pad_id=self._pad_id)
        return {
            "input_ids": self._tensor(padded.input_ids),
            "attention_mask": self._tensor(padded.attention_mask),
        }

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).to(self._model.device)

    @contextlib.contextmanager
    def _evaluating(self) -> Iterator[None]:
        if self._is_fixed:
            yield
            return
        was_training = self._model.training
        self._model.eval()
        try:
            yield
        finally:
            self._model.train(was_training)

    @contextlib.contextmanager
    def _precision(self) -> Iterator[None]:
        if not self._uses_bf16:
            yield
            return
        with self._bfloat16.in_place(), torch.autocast(self._model.device.type, dtype=torch.bfloat16):
            yield

    def fix(self) -> None:
        """The model stays in evaluation mode from now on."""
        self._model.eval()
        self._is_fixed = True

    def forget_weights(self) -> None:
        """The model's weights have changed: whatever was made of them is made again."""
        self._bfloat16.forget()


def _backbones(model: Network) -> list[nn.Module]:
    members = model.each() if isinstance(model, AdapterEnsemble) else [model]
    return [head.backbone(member.network) for member in members]
