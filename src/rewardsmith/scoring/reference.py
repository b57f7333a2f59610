"""The reference scorer: one conversation at a time, float32, no padding. Every faster way must agree with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.scoring.limits import Ids, Overlength, require_known, within
from rewardsmith.scoring.provenance import state_digest
from rewardsmith.text.encoder import ConversationEncoder


class ReferenceScorer:
    """Scores one conversation at a time.

    Args:
        model: Put into evaluation mode for the time of a call.
        encoder: Its `max_tokens` is the limit.
        overlength: What happens to longer conversations.
        model_digest: Digest of the weights; taken from the weights in memory where absent.
    """

    def __init__(
        self,
        model: RewardModel,
        encoder: ConversationEncoder,
        *,
        overlength: Overlength = "raise",
        model_digest: str | None = None,
    ) -> None:
        self.model = model
        self.encoder = encoder
        self.overlength: Overlength = overlength
        self.n_truncated = 0
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
        return self._scores(self.features(conversations))

    def score_ids(self, sequences: Sequence[Ids]) -> Scores:
        """One reward a sequence of token ids, in order; see `TokenScorer`.

        Raises:
            DataError: A sequence is empty, or holds an id that the model has no embedding for.
            OverlengthError: A sequence is too long, and truncation was not asked for.
        """
        return self._scores(self.features_ids(sequences))

    def features(self, conversations: Sequence[Conversation]) -> Float32[np.ndarray, "conversation hidden"]:
        """What the last layer reads, one row a conversation."""
        return self._features(self.encoder.encode(conversations))

    def features_ids(self, sequences: Sequence[Ids]) -> Float32[np.ndarray, "sequence hidden"]:
        """The same of token ids; see `score_ids`."""
        require_known(sequences, vocabulary=self.model.config.get_text_config().vocab_size)
        return self._features(sequences)

    def _features(self, encoded: Sequence[Ids]) -> Float32[np.ndarray, "sequence hidden"]:
        sequences, n_cut = within(
            encoded, max_tokens=self.encoder.max_tokens, overlength=self.overlength, bos_id=self.encoder.bos_id
        )
        self.n_truncated += n_cut
        rows = np.empty((len(sequences), self.model.output_layer.in_features), dtype=np.float32)
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode():
                for row, ids in enumerate(sequences):
                    input_ids = torch.as_tensor(ids, dtype=torch.long, device=self.model.device).unsqueeze(0)
                    rows[row] = self.model.features(input_ids, torch.ones_like(input_ids))[0].cpu().numpy()
        finally:
            self.model.train(was_training)
        return rows

    def _scores(self, features: Float32[np.ndarray, "row hidden"]) -> Scores:
        with torch.inference_mode():
            rewards = [self._readout(row) for row in features]
        return Scores(np.array(rewards, dtype=np.float32), self._provenance)

    def _readout(self, features: Float32[np.ndarray, " hidden"]) -> float:
        row = torch.as_tensor(features, device=self.model.device).unsqueeze(0)
        return float(self.model.readout(row).item())
