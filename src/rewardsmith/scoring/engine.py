"""The fast scorer: each distinct text once, packed without padding; a decoder computes what texts share once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.scores import Provenance, Scores
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.scoring.limits import Ids, Overlength
from rewardsmith.scoring.statistics import ScoringStatistics
from rewardsmith.scoring.values import Precision, TextValues
from rewardsmith.text.encoder import ConversationEncoder


class FastScorer:
    """Scores conversations in batches under a token budget.

    They are packed side by side; in a decoder, candidates for one prompt share it, found in the tokens by themselves.
    A model that cannot be given packed sequences gets padded batches of similar length, with one line in the log.

    What is the same text after rendering and truncation is computed once, and its reward is remembered: in memory for
    the next calls, and in `cache`, where given, for other processes. Other weights, another template, limit or
    precision never find it. `statistics` counts what was asked for and what was computed.

    In float32 the rewards equal the reference scorer's to rounding, whatever the order, the company, the budget and
    the cache. In `bf16` the network runs in bfloat16 and the head in float32; rewards then differ by some hundredths of
    their spread in a small encoder (MiniLM .03), by up to a fifth in a decoder of thirty blocks (SmolLM2).
    `auto` is bf16 on a GPU that has it, float32 elsewhere.

    Args:
        model: Put into evaluation mode for the time of a call.
        encoder: Its `max_tokens` is the limit.
        token_budget: Most tokens in one pass, padding included; a longer conversation goes by itself. Where absent
            2,048 on a CPU, whose caches hold no more, and 8,192 on a GPU.
        overlength: What happens to longer conversations; `truncate` counts them in `n_truncated`.
        model_digest: Digest of the weights; taken from the weights in memory where absent.
        cache: Folder that keeps rewards for later processes. The weights in memory are then digested, which takes a
            second or two a gigabyte.

    Raises:
        SettingsError: The budget is below one, the precision is unknown, or the cache folder cannot be used.
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
        cache: str | Path | None = None,
    ) -> None:
        self.model = model
        self.encoder = encoder
        self._values = TextValues(
            model,
            encoder,
            token_budget=token_budget,
            precision=precision,
            overlength=overlength,
            model_digest=model_digest,
            cache=cache,
        )
        self.token_budget = self._values.token_budget
        self.uses_bf16 = self._values.uses_bf16
        self.overlength: Overlength = overlength

    @property
    def n_truncated(self) -> int:
        """Conversations that were cut to fit, so far."""
        return self._values.n_truncated

    @property
    def provenance(self) -> Provenance:
        """Digests that every `Scores` of this scorer carries."""
        return self._values.provenance

    @property
    def statistics(self) -> ScoringStatistics:
        """What was asked for, found and computed so far."""
        return self._values.statistics

    def fix_weights(self) -> None:
        """Nobody changes the model from now on, as in a server: calls do not look whether somebody did, and leave it in
        evaluation mode."""
        self._values.fix_weights()

    def remember_at_most(self, max_entries: int) -> None:
        """Hold no more rewards in memory than that; 0 where whoever asks remembers the answers. A folder keeps all."""
        self._values.remember_at_most(max_entries)

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """One reward a conversation, in order.

        Raises:
            OverlengthError: A conversation is too long, and truncation was not asked for.
        """
        rewards = self._values.rewards(conversations)
        return Scores(np.array(rewards, dtype=np.float32), self.provenance)

    def score_ids(self, sequences: Sequence[Ids]) -> Scores:
        """One reward a sequence of token ids, in order; see `TokenScorer`.

        Raises:
            DataError: A sequence is empty, or holds an id that the model has no embedding for.
            OverlengthError: A sequence is too long, and truncation was not asked for.
        """
        self._values.require_known(sequences)
        rewards = self._values.of_ids(sequences, is_reward=True)
        return Scores(np.array(rewards, dtype=np.float32), self.provenance)

    def score_stream(
        self, conversations: Iterable[Conversation], *, window_tokens: int | None = None
    ) -> Iterator[float]:
        """The reward of each of any number of conversations, in order and in bounded memory.

        They are taken window by window, and inside a window in the order that packs best. Where a conversation is
        refused, or `conversations` raises an error, the rewards of those before it come first.

        Args:
            window_tokens: Most tokens in a window; 64 passes where absent. A larger one finds more to share and has
                less waste, a smaller one gives its first reward sooner.

        Raises:
            OverlengthError: A conversation is too long, and truncation was not asked for.
        """
        return self._values.stream(conversations, window_tokens=window_tokens)

    def features(self, conversations: Sequence[Conversation]) -> Float32[np.ndarray, "conversation hidden"]:
        """What the last layer reads, one row a conversation, in order. Features are not remembered."""
        return self._stacked(self._values.features(conversations))

    def features_ids(self, sequences: Sequence[Ids]) -> Float32[np.ndarray, "sequence hidden"]:
        """The same of token ids; see `score_ids`."""
        self._values.require_known(sequences)
        return self._stacked(self._values.of_ids(sequences, is_reward=False))

    def _stacked(self, rows: Sequence[np.ndarray]) -> Float32[np.ndarray, "row hidden"]:
        return np.stack(rows) if rows else np.empty((0, self.model.output_layer.in_features), dtype=np.float32)
