"""The fast scorer: conversations of similar length share a batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32

from rewardsmith.batching import buckets
from rewardsmith.batching.collate import pad
from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import SettingsError
from rewardsmith.core.progress import track
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.scoring.limits import Ids, Overlength, within
from rewardsmith.scoring.provenance import state_digest
from rewardsmith.text.encoder import ConversationEncoder

_CPU_BUDGET = 2048
_GPU_BUDGET = 16_384

Precision = Literal["float32", "bf16", "auto"]


class BucketedScorer:
    """Scores conversations in batches of similar length under a budget of padded tokens.

    In float32 the rewards equal the reference scorer's to rounding, whatever the order, the company and the budget. In
    `bf16` the network runs in bfloat16 and the head in float32; rewards then differ by about a hundredth of their
    spread. `auto` is bf16 on a GPU that has it, float32 elsewhere.

    Args:
        model: Put into evaluation mode for the time of a call.
        encoder: Its `max_tokens` is the limit.
        max_padded_tokens: Budget of one batch. Where absent 2,048 on a CPU, whose caches hold no more, and 16,384 on
            a GPU.
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
        max_padded_tokens: int | None = None,
        precision: Precision = "float32",
        overlength: Overlength = "raise",
        model_digest: str | None = None,
    ) -> None:
        if max_padded_tokens is not None and max_padded_tokens < 1:
            raise SettingsError("max_padded_tokens is below one", wanted="at least 1", got=max_padded_tokens)
        self.model = model
        self.encoder = encoder
        self.max_padded_tokens = max_padded_tokens or (_CPU_BUDGET if model.device.type == "cpu" else _GPU_BUDGET)
        self.overlength: Overlength = overlength
        self.n_truncated = 0
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
        return Scores(self._rewards(conversations, first=0), self._provenance)

    def score_stream(
        self, conversations: Iterable[Conversation], *, chunk: int = 2048
    ) -> Iterator[tuple[list[Conversation], Scores]]:
        """Score any number of conversations in bounded memory: chunks of them with their scores, in order."""
        if chunk < 1:
            raise SettingsError("chunk is below one", wanted="at least 1", got=chunk)
        stream = iter(conversations)
        first = 0
        while part := list(islice(stream, chunk)):
            yield part, Scores(self._rewards(part, first=first), self._provenance)
            first += len(part)

    def features(self, conversations: Sequence[Conversation]) -> Float32[np.ndarray, "conversation hidden"]:
        """What the last layer reads, one row a conversation, in order."""
        sequences = self._encoded(conversations, first=0)
        if not sequences:
            return np.empty((0, self.model.output_layer.in_features), dtype=np.float32)
        return self._run(sequences, is_reward=False)

    def _rewards(self, conversations: Sequence[Conversation], *, first: int) -> Float32[np.ndarray, " conversation"]:
        sequences = self._encoded(conversations, first=first)
        return self._run(sequences, is_reward=True) if sequences else np.empty(0, dtype=np.float32)

    def _encoded(self, conversations: Sequence[Conversation], *, first: int) -> list[Ids]:
        sequences, n_cut = within(
            self.encoder.encode(conversations),
            max_tokens=self.encoder.max_tokens,
            overlength=self.overlength,
            bos_id=self.encoder.bos_id,
            first=first,
        )
        self.n_truncated += n_cut
        return sequences

    def _run(self, sequences: Sequence[Ids], *, is_reward: bool) -> Float32[np.ndarray, "conversation ..."]:
        batches = buckets.plan([len(ids) for ids in sequences], max_tokens=self.max_padded_tokens)
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode():
                parts = [
                    self._batch([sequences[index] for index in batch], is_reward=is_reward)
                    for batch in track(batches, "scoring", total=len(batches))
                ]
        finally:
            self.model.train(was_training)
        return buckets.restore(batches, parts)

    def _batch(self, sequences: Sequence[Ids], *, is_reward: bool) -> Float32[np.ndarray, "conversation ..."]:
        padded = pad(sequences, pad_id=self.encoder.pad_id)
        input_ids = torch.from_numpy(padded.input_ids).to(self.model.device)
        mask = torch.from_numpy(padded.attention_mask).to(self.model.device)
        with self._precision():
            features = self.model.features(input_ids, mask)
        values = self.model.readout(features) if is_reward else features
        return values.cpu().numpy()

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
