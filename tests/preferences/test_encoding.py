"""Tokens within the limit: one prefix, one tail a response, and only the prompt is ever cut."""

from __future__ import annotations

import copy
import dataclasses
from itertools import combinations

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


def ranking(prompt: str, *responses: str) -> Item:
    """Best first; every two are a pair."""
    pairs = tuple(Pair(i, j) for i, j in combinations(range(len(responses)), 2))
    return dataclasses.replace(item(prompt, *responses), pairs=pairs)


def test_a_response_that_is_too_long_leaves_its_group_and_nothing_else(byte_encoder):
    # <bos> user:q<eos> = 8, assistant:...<eos> = 11 more and the text: "aa" ends at 21, the long one at 49.
    row = ranking("q", "aa", "x" * 30, "b", "c")
    expected = byte_encoder.encode([row.prompt + row.responses[k] for k in (0, 2, 3)])
    encoded = encode([row], byte_encoder, max_tokens=21, policy="drop")[0]
    assert whole(encoded) == [ids.tolist() for ids in expected]
    assert isinstance(encoded, Encoded)
    assert (encoded.kept, encoded.cut_tokens) == ((0, 2, 3), 0)
    every = encode([row], byte_encoder, max_tokens=49, policy="drop")[0]
    assert isinstance(every, Encoded)
    assert every.kept is None


def test_responses_left_without_a_pair_go_too(byte_encoder):
    row = dataclasses.replace(ranking("q", "x" * 30, "a", "b", "c"), pairs=(Pair(0, 1), Pair(2, 3)))
    encoded = encode([row], byte_encoder, max_tokens=30, policy="drop")[0]
    assert isinstance(encoded, Encoded)
    assert encoded.kept == (2, 3)
    # The best of a best-against-the-rest group is in every pair.
    star = dataclasses.replace(row, pairs=(Pair(0, 1), Pair(0, 2), Pair(0, 3)))
    assert encode([star], byte_encoder, max_tokens=30, policy="drop")[0] == Rejection(Reason.TOO_LONG, "49 tokens > 30")


def test_what_is_left_of_a_group_must_differ(byte_encoder):
    row = ranking("q", "same", "x" * 30, "same")
    left = encode([row], byte_encoder, max_tokens=30, policy="drop")[0]
    assert isinstance(left, Rejection)
    assert left.reason == Reason.IDENTICAL


def test_truncation_cuts_by_the_longest_response_that_can_fit(byte_encoder):
    # The prompt has <bos> and 16 tokens. In 30, with the <bos>, a response of 18 letters and its 11 others fits alone.
    row = ranking("0123456789", "a", "x" * 18, "y" * 19, "b")
    encoded = encode([row], byte_encoder, max_tokens=30, policy="truncate")[0]
    assert isinstance(encoded, Encoded)
    assert encoded.kept == (0, 1, 3)
    assert encoded.cut_tokens == 16
    assert max(map(len, whole(encoded))) == 30
    full = [byte_encoder.encode([row.prompt + row.responses[k]])[0].tolist() for k in (0, 1, 3)]
    assert whole(encoded) == [[ids[0], *ids[17:]] for ids in full]
    # Without that one only what "a" and "b" need is cut: 17 + 12 tokens fit.
    short = encode([ranking("0123456789", "a", "y" * 20, "b")], byte_encoder, max_tokens=30, policy="truncate")[0]
    assert isinstance(short, Encoded)
    assert (short.kept, short.cut_tokens) == ((0, 2), 0)


def test_raise_names_the_row(byte_encoder):
    with pytest.raises(OverlengthError, match=r"^f:1: "):
        encode([item("why", "yes", "no")], byte_encoder, max_tokens=10, policy="raise")
    with pytest.raises(OverlengthError, match=r"^f:1, response 2 of 3: .*got 39 tokens"):
        encode([ranking("q", "a", "x" * 20, "b")], byte_encoder, max_tokens=30, policy="raise")


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
