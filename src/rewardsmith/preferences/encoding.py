"""Preferences to token ids: the tokens that all responses share once, and what follows for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Int32

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import ModelError, OverlengthError
from rewardsmith.core.preference import Pair
from rewardsmith.preferences.outcome import Reason, Rejection
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.length import LengthPolicy, fit

Tokens = Int32[np.ndarray, " token"]


@dataclass(frozen=True, slots=True)
class Item:
    """What of a preference decides its tokens, and where it stood."""

    prompt: Conversation
    responses: tuple[Conversation, ...]
    pairs: tuple[Pair, ...]
    place: str


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids of a preference: response k is `prefix` followed by `tails[k]`, which is never empty."""

    prefix: Int32[np.ndarray, " prefix"]
    tails: tuple[Int32[np.ndarray, " tail"], ...]
    cut_tokens: int = 0


def split_prefix(sequences: Sequence[Tokens]) -> Encoded:
    """The longest common prefix that leaves each sequence at least one token, and the rests."""
    first = sequences[0]
    shared = min(len(sequence) for sequence in sequences) - 1
    for other in sequences[1:]:
        differs = first[:shared] != other[:shared]
        shared = int(differs.argmax()) if differs.any() else shared
    shared = max(shared, 0)
    return Encoded(first[:shared], tuple(sequence[shared:] for sequence in sequences))


def encode(
    items: Sequence[Item], encoder: ConversationEncoder, *, max_tokens: int, policy: LengthPolicy
) -> list[Encoded | Rejection]:
    """Each item's tokens within `max_tokens`, or why it has none.

    Raises:
        OverlengthError: An item is too long and the policy is `raise`.
    """
    conversations = [item.prompt + response for item in items for response in item.responses]
    try:
        sequences = encoder.encode(conversations)
    except ModelError as error:
        if len(items) == 1:
            return [Rejection(Reason.WRONG_ROLES, f"the model's chat template refuses it: {error.problem}")]
        # Which one was it? One at a time finds out, and keeps the others.
        return [encode([item], encoder, max_tokens=max_tokens, policy=policy)[0] for item in items]
    bounds = np.cumsum([0, *(len(item.responses) for item in items)])
    return [
        _fitted(item, sequences[start:end], encoder, max_tokens=max_tokens, policy=policy)
        for item, (start, end) in zip(items, pairwise(bounds), strict=True)
    ]


def _fitted(
    item: Item, sequences: Sequence[Tokens], encoder: ConversationEncoder, *, max_tokens: int, policy: LengthPolicy
) -> Encoded | Rejection:
    if all(np.array_equal(sequences[pair.chosen], sequences[pair.rejected]) for pair in item.pairs):
        return Rejection(Reason.IDENTICAL, "the responses have the same tokens")
    longest = max(len(sequence) for sequence in sequences)
    if longest <= max_tokens:
        return split_prefix(sequences)
    if policy == "drop":
        return Rejection(Reason.TOO_LONG, f"{longest} tokens > {max_tokens}")
    # The shared tokens may reach into the responses (same first words); only the prompt's own may be cut.
    boundary = _prompt_tokens(item.prompt, sequences, encoder)
    tails = [sequence[boundary:] for sequence in sequences]
    try:
        fitted = fit(sequences[0][:boundary], tails, max_tokens=max_tokens, policy=policy, bos_id=encoder.bos_id)
    except OverlengthError as error:
        raise OverlengthError(
            error.problem, wanted=error.wanted, got=error.got, where=item.place, fix=error.fix
        ) from error
    if fitted is None:
        return Rejection(Reason.TRUNCATED_EQUAL, f"a response alone has over {max_tokens} tokens")
    whole = split_prefix([np.concatenate([fitted.prefix, tail]) for tail in fitted.tails])
    return Encoded(whole.prefix, whole.tails, fitted.cut_tokens)


def _prompt_tokens(prompt: Conversation, sequences: Sequence[Tokens], encoder: ConversationEncoder) -> int:
    """How many of the first tokens of all sequences are the prompt's."""
    if not prompt:
        return 0
    (alone,) = encoder.encode([prompt])
    limit = min(len(sequence) for sequence in (alone, *sequences))
    differs = np.zeros(limit, bool)
    for sequence in sequences:
        differs |= alone[:limit] != sequence[:limit]
    return int(differs.argmax()) if differs.any() else limit
