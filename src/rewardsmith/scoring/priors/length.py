"""A prior of length alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32
from transformers import PreTrainedTokenizerBase

from rewardsmith.core.conversation import Conversation, response_text
from rewardsmith.numerics.length_shape import LengthShape, shaped_length


def length_prior(
    conversations: Sequence[Conversation],
    *,
    shape: LengthShape,
    scale: float,
    target: float = 0.0,
    tokenizer: PreTrainedTokenizerBase | None = None,
) -> Float32[np.ndarray, " conversation"]:
    """The shaped length of each last assistant turn.

    Args:
        shape: See `numerics.length_shape`.
        scale: The length that counts as one.
        target: The best length, for the shape `distance`.
        tokenizer: Lengths, scale and target are in its tokens; in characters where absent.
    """
    texts = [response_text(each) for each in conversations]
    lengths = [len(text) for text in texts] if tokenizer is None else _token_counts(tokenizer, texts)
    return shaped_length(np.array(lengths, np.float64), shape=shape, scale=scale, target=target).astype(np.float32)


def _token_counts(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[int]:
    if not texts:
        return []
    # The limit is that of a model which may be another one; here tokens are only counted.
    encoded = tokenizer(texts, add_special_tokens=False, truncation=False, verbose=False)
    return [len(ids) for ids in encoded["input_ids"]]
