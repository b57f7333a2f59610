"""Where a response stands among the tokens of its conversation, and the tokens that a model is asked to go on from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32

from rewardsmith.core.conversation import Conversation, assistant
from rewardsmith.core.errors import DataError, ModelError
from rewardsmith.text.encoder import ConversationEncoder

# Private-use characters: no template and hardly a text holds them.
_MARK = "\ue000\ue001"

Ids = Int32[np.ndarray, " token"]


@dataclass(frozen=True, slots=True)
class ResponseIds:
    """A conversation's tokens, and those of them that are the last assistant turn.

    Attributes:
        ids: `[token]`, the whole conversation, as `ConversationEncoder.encode` gives it.
        start: The first token of the response. A token that holds the end of the turn's header as well counts to it.
        end: One past the token that ends the turn: what the model writes itself, and not what the template prints
            after that (ChatML's newline).
    """

    ids: Ids
    start: int
    end: int


def encode_responses(encoder: ConversationEncoder, conversations: Sequence[Conversation]) -> list[ResponseIds]:
    """The tokens of each conversation and the place of its response.

    Raises:
        DataError: A conversation does not end with the assistant's turn.
        ModelError: The template does not print the last text, or prints nothing before it.
    """
    for number, conversation in enumerate(conversations):
        if not conversation or conversation[-1].role != "assistant":
            raise DataError("no response", wanted="the assistant's turn at the end", where=f"conversation {number}")
    specials = _special_ids(encoder)
    sequences = encoder.encode(conversations)
    return [_located(encoder, each, ids, specials) for each, ids in zip(conversations, sequences, strict=True)]


def header_ids(encoder: ConversationEncoder, turns: Conversation) -> Ids:
    """The tokens of `turns` and of the header of the assistant's turn after them: what a model goes on from.

    Raises:
        ModelError: The template does not print an assistant's turn after these.
    """
    return text_ids(encoder, _around(encoder, turns)[0])


def stop_ids(encoder: ConversationEncoder, turns: Conversation) -> frozenset[int]:
    """The tokens that end an assistant's turn after `turns`: the end of sequence, and the template's own mark.

    Raises:
        ModelError: Nothing would end it.
    """
    specials = _special_ids(encoder)
    after = text_ids(encoder, _around(encoder, turns)[1]).tolist()
    eos = encoder.tokenizer.eos_token_id
    found = frozenset([token for token in after if token in specials][:1] + ([eos] if isinstance(eos, int) else []))
    if not found:
        raise ModelError(
            "nothing ends a response", wanted="an EOS token, or a template with an end of turn", where="chat_template"
        )
    return found


def text_ids(encoder: ConversationEncoder, text: str) -> Ids:
    """The tokens of a text by itself, special tokens in it recognised and none added."""
    return np.array(encoder.tokenizer(text, add_special_tokens=False)["input_ids"], dtype=np.int32)


def _located(
    encoder: ConversationEncoder, conversation: Conversation, ids: Ids, specials: frozenset[int]
) -> ResponseIds:
    before, after = (text_ids(encoder, text) for text in _around(encoder, conversation[:-1]))
    start = _common(ids, before)
    if start == 0:
        raise ModelError(
            "nothing stands before the response, so that its first token has no probability",
            wanted="a chat template with a BOS or a header",
            where="chat_template",
        )
    return ResponseIds(ids, start, max(start, _end(ids, after, specials)))


def _around(encoder: ConversationEncoder, turns: Conversation) -> tuple[str, str]:
    """What the template prints before and after the text of an assistant's turn that follows `turns`."""
    before, found, after = encoder.render((*turns, assistant(_MARK))).partition(_MARK)
    if not found:
        raise ModelError("the chat template does not print the last turn", where="chat_template")
    return before, after


def _common(one: Ids, other: Ids) -> int:
    length = min(len(one), len(other))
    differs = np.flatnonzero(one[:length] != other[:length])
    return int(differs[0]) if len(differs) else length


def _end(ids: Ids, after: Ids, specials: frozenset[int]) -> int:
    """One past the first special token of what the template prints after the response; of a plain end, all of it."""
    first = len(ids) - len(after)
    if not len(after) or first < 0 or not np.array_equal(ids[first:], after):
        return len(ids)
    ends = [number for number, token in enumerate(after.tolist()) if token in specials]
    return first + ends[0] + 1 if ends else len(ids)


def _special_ids(encoder: ConversationEncoder) -> frozenset[int]:
    added = encoder.tokenizer.added_tokens_decoder.items()
    eos = encoder.tokenizer.eos_token_id
    return frozenset([number for number, token in added if token.special] + ([eos] if isinstance(eos, int) else []))
