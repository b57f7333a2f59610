"""What scorers do with conversations that are longer than the model takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Int32

from rewardsmith.core.errors import OverlengthError

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


def _cut(ids: Ids, *, max_tokens: int, bos_id: int | None) -> Ids:
    has_bos = bos_id is not None and int(ids[0]) == bos_id and max_tokens > 1
    if not has_bos:
        return ids[len(ids) - max_tokens :]
    return np.concatenate([ids[:1], ids[len(ids) - (max_tokens - 1) :]])
