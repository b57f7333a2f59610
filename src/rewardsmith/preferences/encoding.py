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
from rewardsmith.preferences.comparisons import between
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
    """Token ids of a preference: response k is `prefix` followed by `tails[k]`, which is never empty.

    Attributes:
        cut_tokens: How many of the prompt's tokens were cut away.
        kept: The item's responses that `tails` belong to, where some were too long by themselves; else `None`.
    """

    prefix: Int32[np.ndarray, " prefix"]
    tails: tuple[Int32[np.ndarray, " tail"], ...]
    cut_tokens: int = 0
    kept: tuple[int, ...] | None = None


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

    A response that does not fit leaves its item, with the pairs it stands in and responses that are then in no pair:
    under `drop` where its conversation is too long, under `truncate` where it would be too long without the prompt.
    An item without a pair left has no tokens.

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
    if _says_nothing(item.pairs, sequences):
        return Rejection(Reason.IDENTICAL, "the responses have the same tokens")
    longest = max(len(sequence) for sequence in sequences)
    if longest <= max_tokens:
        return split_prefix(sequences)
    # The shared tokens may reach into the responses (same first words); only the prompt's own may be cut.
    boundary = 0 if policy == "drop" else _prompt_tokens(item.prompt, sequences, encoder)
    if policy == "raise":
        _refuse_overlength(item, sequences, boundary, max_tokens=max_tokens)
    stays = _uncut(sequences[0][:boundary], encoder.bos_id)
    usable = {k for k, sequence in enumerate(sequences) if stays + len(sequence) - boundary <= max_tokens}
    kept, pairs = between(item.pairs, usable)
    if not pairs:
        if policy == "drop":
            return Rejection(Reason.TOO_LONG, f"{longest} tokens > {max_tokens}")
        return Rejection(Reason.TRUNCATED_EQUAL, f"a response alone has over {max_tokens} tokens")
    left = [sequences[k] for k in kept]
    if _says_nothing(pairs, left):
        return Rejection(Reason.IDENTICAL, "the responses that are not too long have the same tokens")
    fitted = fit(
        left[0][:boundary],
        [sequence[boundary:] for sequence in left],
        max_tokens=max_tokens,
        policy=policy,
        bos_id=encoder.bos_id,
    )
    assert fitted is not None, "only responses that fit were kept"
    whole = split_prefix([np.concatenate([fitted.prefix, tail]) for tail in fitted.tails])
    is_whole = len(kept) == len(sequences)
    return Encoded(whole.prefix, whole.tails, fitted.cut_tokens, None if is_whole else kept)


def _says_nothing(pairs: Sequence[Pair], sequences: Sequence[Tokens]) -> bool:
    """Whether every pair compares the same tokens with themselves."""
    return all(np.array_equal(sequences[pair.chosen], sequences[pair.rejected]) for pair in pairs)


def _uncut(prompt: Tokens, bos_id: int | None) -> int:
    """How many of the prompt's tokens stay however much is cut: the BOS."""
    return int(len(prompt) > 0 and bos_id is not None and int(prompt[0]) == bos_id)


def _refuse_overlength(item: Item, sequences: Sequence[Tokens], boundary: int, *, max_tokens: int) -> None:
    """Raise the `OverlengthError` of an item that is too long, with its place."""
    tails = [sequence[boundary:] for sequence in sequences]
    try:
        fit(sequences[0][:boundary], tails, max_tokens=max_tokens, policy="raise")
    except OverlengthError as error:
        longest = max(range(len(tails)), key=lambda k: len(tails[k]))
        where = item.place if len(tails) == 2 else f"{item.place}, response {longest + 1} of {len(tails)}"
        raise OverlengthError(error.problem, wanted=error.wanted, got=error.got, where=where, fix=error.fix) from error


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
