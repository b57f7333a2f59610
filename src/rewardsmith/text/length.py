"""The rule for conversations that are longer than the model takes, on token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int32

from rewardsmith.core.errors import OverlengthError

LengthPolicy = Literal["drop", "truncate", "raise"]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A prompt and its responses within the limit.

    Attributes:
        prefix: Token ids that all responses share.
        tails: What follows, one array a response.
        cut_tokens: How many of the prefix's tokens were cut away.
    """

    prefix: Int32[np.ndarray, " prefix"]
    tails: tuple[Int32[np.ndarray, " tail"], ...]
    cut_tokens: int = 0


def fit(
    prefix: Int32[np.ndarray, " prefix"],
    tails: Sequence[Int32[np.ndarray, " tail"]],
    *,
    max_tokens: int | None,
    policy: LengthPolicy,
    bos_id: int | None = None,
) -> Fitted | None:
    """`prefix` and `tails` within `max_tokens`, or `None` where they cannot be used.

    `truncate` cuts the shared prefix from the left, by what the longest response needs, and the same for all of them,
    so that responses are compared after one and the same prompt. A BOS at the start stays. Responses are never cut
    (that could make two of them equal), so responses that do not fit by themselves give `None`.

    Args:
        max_tokens: Limit for prefix and tail together; `None` is no limit.
        policy: `drop` gives `None` for anything too long; `raise` raises.
        bos_id: Id to keep where the prefix starts with it.

    Raises:
        OverlengthError: Too long, and the policy is `raise`.
    """
    longest_tail = max((len(tail) for tail in tails), default=0)
    n_tokens = len(prefix) + longest_tail
    if max_tokens is None or n_tokens <= max_tokens:
        return Fitted(prefix, tuple(tails))
    if policy == "raise":
        raise OverlengthError(
            "a conversation is too long",
            wanted=f"at most {max_tokens} tokens",
            got=f"{n_tokens} tokens ({len(prefix)} shared, {longest_tail} of the longest response)",
            fix="raise max_tokens, or set overlength to truncate or drop",
        )
    if policy == "drop":
        return None
    return _cut_left(prefix, tails, n_cut=n_tokens - max_tokens, bos_id=bos_id)


def _cut_left(
    prefix: Int32[np.ndarray, " prefix"],
    tails: Sequence[Int32[np.ndarray, " tail"]],
    *,
    n_cut: int,
    bos_id: int | None,
) -> Fitted | None:
    n_kept_first = int(bos_id is not None and len(prefix) > 0 and int(prefix[0]) == bos_id)
    if n_cut > len(prefix) - n_kept_first:
        return None
    kept = np.concatenate([prefix[:n_kept_first], prefix[n_kept_first + n_cut :]])
    return Fitted(kept, tuple(tails), cut_tokens=n_cut)
