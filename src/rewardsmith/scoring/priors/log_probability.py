"""A prior of how likely a language model is to have written the response."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32
from torch import nn

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import OverlengthError
from rewardsmith.models.causal_lm import log_probabilities
from rewardsmith.scoring.limits import Overlength
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.response import ResponseIds, encode_responses


class LogProbabilityPrior:
    """(1/n) Σ_t log π(y_t | x, y_<t), in nats a token: the mean over the n tokens of the last assistant turn, its end
    token included.

    Per token, since a sum would be a length penalty first of all; that is what the `length` prior is for.

    Args:
        network: A causal language model.
        encoder: Of its tokenizer; its `max_tokens` is the limit.
        overlength: What happens to longer conversations: `truncate` cuts from the left and counts them in
            `n_truncated`.
    """

    def __init__(self, network: nn.Module, encoder: ConversationEncoder, *, overlength: Overlength = "raise") -> None:
        self.network = network
        self.encoder = encoder
        self.overlength: Overlength = overlength
        self.n_truncated = 0

    def __call__(self, conversations: Sequence[Conversation]) -> Float32[np.ndarray, " conversation"]:
        """One value a conversation, in order; 0 for a response without tokens.

        Raises:
            DataError: A conversation does not end with the assistant's turn.
            OverlengthError: A conversation is too long, and truncation was not asked for; or its response alone is.
        """
        found = encode_responses(self.encoder, conversations)
        responses = [self._within(each, number) for number, each in enumerate(found)]
        sums, counts = log_probabilities(self.network, responses, pad_id=self.encoder.pad_id)
        return (sums / np.maximum(counts, 1)).astype(np.float32)

    def _within(self, response: ResponseIds, number: int) -> ResponseIds:
        """The response with as much of its prompt as there is room for; one token stays in front of it."""
        limit, length = self.encoder.max_tokens, len(response.ids)
        if limit is None or length <= limit:
            return response
        surplus = length - limit
        if self.overlength == "raise" or surplus >= response.start:
            raise OverlengthError(
                "a response is too long for the prior's language model"
                if surplus >= response.start
                else "a conversation is too long for the prior's language model",
                wanted=f"at most {limit} tokens",
                got=f"{length} tokens, {response.end - response.start} of them in the response",
                where=f"conversation {number}",
                fix="set the term's max_tokens or overlength: truncate, or shorten the conversation",
            )
        self.n_truncated += 1
        return ResponseIds(response.ids[surplus:], response.start - surplus, response.end - surplus)
