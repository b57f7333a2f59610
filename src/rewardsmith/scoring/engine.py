"""The fast scorer: conversations are packed without padding, and a decoder computes what they share once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from rewardsmith.batching import buckets, packing, prefixes
from rewardsmith.batching.collate import pad
from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import SettingsError
from rewardsmith.core.progress import track
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.models.packing import enable_packing
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.scoring.limits import Ids, Overlength, within
from rewardsmith.scoring.provenance import state_digest
from rewardsmith.text.encoder import ConversationEncoder

logger = logging.getLogger(__name__)

_CPU_BUDGET = 2048
_GPU_BUDGET = 8192

Precision = Literal["float32", "bf16", "auto"]


class FastScorer:
    """Scores conversations in batches under a token budget.

    They are packed side by side; in a decoder, candidates for one prompt share it, found in the tokens by themselves.
    A model that cannot be given packed sequences gets padded batches of similar length, with one line in the log.

    In float32 the rewards equal the reference scorer's to rounding, whatever the order, the company
    and the budget. In
    `bf16` the network runs in bfloat16 and the head in float32; rewards then differ by about a hundredth of their
    spread. `auto` is bf16 on a GPU that has it, float32 elsewhere.

    Args:
        model: Put into evaluation mode for the time of a call.
        encoder: Its `max_tokens` is the limit.
        token_budget: Most tokens in one pass, padding included; a longer conversation goes by itself. Where absent
            2,048 on a CPU, whose caches hold no more, and 8,192 on a GPU.
        overlength: What happens to longer conversations; `truncate` counts them in `n_truncated`.
        model_digest: Digest of the weights; taken from the weights in memory where absent.

    Raises:
        SettingsError: The budget is below one, or the precision is unknown.
    """

    def __init__(
        self,
        model: RewardModel,
        encoder: ConversationEncoder,
        *,
        token_budget: int | None = None,
        precision: Precision = "float32",
        overlength: Overlength = "raise",
        model_digest: str | None = None,
    ) -> None:
        if token_budget is not None and token_budget < 1:
            raise SettingsError("token_budget is below one", wanted="at least 1", got=token_budget)
        self.model = model
        self.encoder = encoder
        self.token_budget = token_budget or (_CPU_BUDGET if model.device.type == "cpu" else _GPU_BUDGET)
        self.overlength: Overlength = overlength
        self.n_truncated = 0
        self._packs = True
        self._longest_tried = 0
        self.uses_bf16 = _uses_bf16(precision, model.device)
        self._provenance = Provenance(model_digest or state_digest(model), encoder.template_digest)

    @property
    def provenance(self) -> Provenance:
        """Digests that every `Scores` of this scorer carries."""
        return self._provenance

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """One reward a conversation, in order.

        Raises:
            OverlengthError: A conversation is too long, and truncation was not asked for.
        """
        return Scores(self._rewards(conversations), self._provenance)

    def features(self, conversations: Sequence[Conversation]) -> Float32[np.ndarray, "conversation hidden"]:
        """What the last layer reads, one row a conversation, in order."""
        sequences = self._encoded(conversations)
        if not sequences:
            return np.empty((0, self.model.output_layer.in_features), dtype=np.float32)
        return self._run(sequences, is_reward=False)

    def _rewards(self, conversations: Sequence[Conversation]) -> Float32[np.ndarray, " conversation"]:
        sequences = self._encoded(conversations)
        return self._run(sequences, is_reward=True) if sequences else np.empty(0, dtype=np.float32)

    def _encoded(self, conversations: Sequence[Conversation]) -> list[Ids]:
        sequences, n_cut = within(
            self.encoder.encode(conversations),
            max_tokens=self.encoder.max_tokens,
            overlength=self.overlength,
            bos_id=self.encoder.bos_id,
        )
        self.n_truncated += n_cut
        return sequences

    def _run(self, sequences: Sequence[Ids], *, is_reward: bool) -> Float32[np.ndarray, "conversation ..."]:
        self._try_packing(sequences)
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode():
                batches = self._plan(sequences)
                parts = [
                    self._batch([sequences[index] for index in batch], is_reward=is_reward)
                    for batch in track(batches, "scoring", total=len(batches))
                ]
        finally:
            self.model.train(was_training)
        return buckets.restore(batches, parts)

    def _try_packing(self, sequences: Sequence[Ids]) -> None:
        """Try the longest sequence, wherever it is longer than all that were tried: a window may be too narrow."""
        longest = max(sequences, key=len)
        if not self._packs or len(longest) <= self._longest_tried:
            return
        reason = enable_packing(self.model, [longest, min(sequences, key=len)])
        self._packs, self._longest_tried = reason is None, len(longest)
        if reason is not None:
            logger.warning("conversations are padded, not packed, which is slower: %s", reason)

    def _plan(self, sequences: Sequence[Ids]) -> list[list[int]]:
        if self._packs and self.model.is_decoder:
            return packing.fill_shared(sequences, max_tokens=self.token_budget)
        lengths = [len(ids) for ids in sequences]
        if self._packs:
            return packing.fill(lengths, max_tokens=self.token_budget)
        return buckets.plan(lengths, max_tokens=self.token_budget)

    def _batch(self, sequences: Sequence[Ids], *, is_reward: bool) -> Float32[np.ndarray, "conversation ..."]:
        inputs = self._packed(sequences) if self._packs else self._padded(sequences)
        with self._precision():
            features = self.model.features(**inputs)
        values = self.model.readout(features) if is_reward else features
        return values.cpu().numpy()

    def _packed(self, sequences: Sequence[Ids]) -> dict[str, Tensor]:
        row = prefixes.shared(sequences) if self.model.is_decoder else prefixes.separate(sequences)
        packed = packing.pack([row])
        return {
            "input_ids": self._tensor(packed.input_ids[None]),
            "attention_mask": self._tensor(packed.segments),
            "position_ids": self._tensor(packed.position_ids[None]),
            "ends": self._tensor(packed.ends),
        }

    def _padded(self, sequences: Sequence[Ids]) -> dict[str, Tensor]:
        padded = pad(sequences, pad_id=self.encoder.pad_id)
        return {
            "input_ids": self._tensor(padded.input_ids),
            "attention_mask": self._tensor(padded.attention_mask),
        }

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).to(self.model.device)

    def _precision(self) -> AbstractContextManager[object]:
        if self.uses_bf16:
            return torch.autocast(self.model.device.type, dtype=torch.bfloat16)
        return nullcontext()


def _uses_bf16(precision: Precision, device: torch.device) -> bool:
    match precision:
        case "float32":
            return False
        case "bf16":
            return True
        case "auto":
            return device.type == "cuda" and torch.cuda.is_bf16_supported()
        case other:
            raise SettingsError("unknown precision", wanted="float32, bf16 or auto", got=other)
