"""What scorers do with conversations that are longer than the model takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Int32

from rewardsmith.core.errors import DataError, OverlengthError

Overlength = Literal["raise", "truncate"]
Ids = Int32[np.ndarray, " token"]


def within(
    sequences: Sequence[Ids], *, max_tokens: int | None, overlength: Overlength, bos_id: int | None, first: int = 0
) -> tuple[list[Ids], int]:
    """`sequences` within the limit, and how many of them were cut.

    `truncate` cuts from the left, behind a BOS: the beginning of the prompt goes first, and the end of the response,
    where the reward is read, stays.

    Args:
        first: Number of the first conversation, for the error.

    Raises:
        OverlengthError: One is too long and the rule is `raise`.
    """
    if max_tokens is None:
        return list(sequences), 0
    kept: list[Ids] = []
    n_cut = 0
    for number, ids in enumerate(sequences):
        if len(ids) > max_tokens:
            if overlength == "raise":
                raise OverlengthError(
                    "a conversation is too long",
                    wanted=f"at most {max_tokens} tokens",
                    got=f"{len(ids)} tokens",
                    where=f"conversation {first + number}",
                    fix="shorten it, or allow truncation of the prompt",
                )
            ids = _cut(ids, max_tokens=max_tokens, bos_id=bos_id)
            n_cut += 1
        kept.append(ids)
    return kept, n_cut


def require_known(sequences: Sequence[Ids], *, vocabulary: int) -> None:
    """Refuse what a model cannot read, before it fails in the middle of a batch.

    Args:
        vocabulary: Number of the model's embeddings.

    Raises:
        DataError: A sequence is empty, or holds an id that the model has no embedding for.
    """
    for number, ids in enumerate(sequences):
        if len(ids) == 0:
            raise DataError("a text without tokens", wanted="at least one token", where=f"text {number}")
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= vocabulary:
            raise DataError(
                "the model has no such token",
                wanted=f"ids from 0 to {vocabulary - 1}",
                got=low if low < 0 else high,
                where=f"text {number}",
                fix="use the tokenizer that lies by the model",
            )


def _cut(ids: Ids, *, max_tokens: int, bos_id: int | None) -> Ids:
    has_bos = bos_id is not None and int(ids[0]) == bos_id and max_tokens > 1
    if not has_bos:
        return ids[len(ids) - max_tokens :]
    return np.concatenate([ids[:1], ids[len(ids) - (max_tokens - 1) :]])
