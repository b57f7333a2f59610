"""Tokens within the limit: one prefix, one tail a response, and only the prompt is ever cut."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.conversation import Message, assistant, user
from rewardsmith.core.errors import OverlengthError
from rewardsmith.core.preference import Pair
from rewardsmith.preferences.encoding import Encoded, Item, encode, split_prefix
from rewardsmith.preferences.outcome import Reason, Rejection


def item(prompt: str, *responses: str) -> Item:
    turns = (user(prompt),) if prompt else ()
    return Item(turns, tuple((assistant(text),) for text in responses), (Pair(0, 1),), "f:1")


def whole(encoded: Encoded | Rejection) -> list[list[int]]:
    assert isinstance(encoded, Encoded)
    return [[*encoded.prefix.tolist(), *tail.tolist()] for tail in encoded.tails]


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), min_size=2, max_size=4))
def test_prefix_and_tails_are_the_sequences(sequences):
    split = split_prefix([np.array(sequence, np.int32) for sequence in sequences])
    assert whole(split) == sequences
    assert all(len(tail) > 0 for tail in split.tails)
    # The prefix is the longest one: the tails part at once, or one of them has a single token.
    assert len({int(tail[0]) for tail in split.tails}) > 1 or min(len(tail) for tail in split.tails) == 1


def test_whole_sequences_are_the_encoders(byte_encoder):
    rows = [item("why", "yes", "yet", "no"), item("", "a", "b")]
    for row, encoded in zip(rows, encode(rows, byte_encoder, max_tokens=512, policy="drop"), strict=True):
        expected = byte_encoder.encode([row.prompt + response for response in row.responses])
        assert whole(encoded) == [ids.tolist() for ids in expected]


def test_the_limit_itself_fits_and_one_more_does_not(byte_encoder):
    # <bos> user:why<eos> assistant:yes<eos> = 1 + 5+3+1 + 10+3+1 = 24 tokens.
    row = item("why", "yes", "no")
    assert isinstance(encode([row], byte_encoder, max_tokens=24, policy="drop")[0], Encoded)
    dropped = encode([row], byte_encoder, max_tokens=23, policy="drop")[0]
    assert dropped == Rejection(Reason.TOO_LONG, "24 tokens > 23")


def test_truncation_cuts_the_prompt_from_the_left_and_the_same_for_all(byte_encoder):
    row = item("0123456789", "same start, one", "same start, two!")
    full = byte_encoder.encode([row.prompt + response for response in row.responses])
    limit = max(map(len, full)) - 4
    encoded = encode([row], byte_encoder, max_tokens=limit, policy="truncate")[0]
    assert isinstance(encoded, Encoded)
    assert encoded.cut_tokens == 4
    # The BOS stays, four tokens after it go: "user".
    assert whole(encoded) == [[ids[0], *ids[5:]] for ids in (full[0].tolist(), full[1].tolist())]


def test_truncation_never_reaches_the_responses(byte_encoder):
    # The shared tokens reach into the responses; the prompt's own are <bos> and user:q<eos>.
    row = item("q", "s" * 30 + "a", "s" * 30 + "b")
    tails = 10 + 31 + 1
    assert isinstance(encode([row], byte_encoder, max_tokens=1 + tails, policy="truncate")[0], Encoded)
    refused = encode([row], byte_encoder, max_tokens=tails, policy="truncate")[0]
    assert isinstance(refused, Rejection)
    assert refused.reason == Reason.TRUNCATED_EQUAL
    bare = encode([item("", "s" * 30, "b")], byte_encoder, max_tokens=20, policy="truncate")[0]
    assert isinstance(bare, Rejection)
    assert bare.reason == Reason.TRUNCATED_EQUAL


def test_raise_names_the_row(byte_encoder):
    with pytest.raises(OverlengthError, match=r"^f:1: "):
        encode([item("why", "yes", "no")], byte_encoder, max_tokens=10, policy="raise")


def test_responses_of_equal_tokens_are_refused(byte_encoder):
    result = encode([item("q", "a", "a")], byte_encoder, max_tokens=99, policy="drop")[0]
    assert isinstance(result, Rejection)
    assert result.reason == Reason.IDENTICAL


def test_a_row_that_the_template_refuses_does_not_take_others_along(byte_encoder):
    strict = type(byte_encoder)(_refusing(byte_encoder.tokenizer), max_tokens=99)
    odd = Item((Message("tool", "x"),), item("q", "a", "b").responses, (Pair(0, 1),), "f:2")
    sound, refused, last = encode([item("q", "a", "b"), odd, item("r", "a", "b")], strict, max_tokens=99, policy="drop")
    assert isinstance(sound, Encoded)
    assert isinstance(last, Encoded)
    assert isinstance(refused, Rejection)
    assert refused.reason == Reason.WRONG_ROLES


def _refusing(tokenizer):
    changed = copy.deepcopy(tokenizer)
    check = (
        "{% for m in messages %}{% if m['role'] == 'tool' %}{{ raise_exception('no tools') }}{% endif %}{% endfor %}"
    )
    changed.chat_template = check + tokenizer.chat_template
    return changed
