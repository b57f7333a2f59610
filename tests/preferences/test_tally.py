"""Counts add up, or it is an error."""

from __future__ import annotations

from collections import Counter

import pytest

from rewardsmith.core.errors import DataError
from rewardsmith.core.preference import Pair
from rewardsmith.preferences.columns import text_batch, token_batch
from rewardsmith.preferences.encoding import split_prefix
from rewardsmith.preferences.outcome import Reason
from rewardsmith.preferences.table import join
from rewardsmith.preferences.tally import Tally


def make_batch(preferences, encoder):
    sequences = [encoder.encode([p.conversation(k) for k in range(len(p.responses))]) for p in preferences]
    tokens = [(split.prefix, split.tails) for split in map(split_prefix, sequences)]
    return join(text_batch(preferences, ["f"] * len(preferences), range(len(preferences))), token_batch(tokens))


def test_every_row_is_in_exactly_one_count():
    tally = Tally()
    tally.keep("kept_train", ["a", "a", "b"])
    tally.keep("kept_heldout", ["b"])
    for source, reason in (("a", Reason.TIE), ("a", Reason.DISPUTED), ("b", Reason.TIE), ("b", Reason.NEAR_HELDOUT)):
        tally.leave_out(source, reason)
    counts = tally.counts(Counter(a=4, b=4))
    names = ("read", "kept_train", "kept_heldout", "review", "set_aside", "rejected")
    assert [counts[name] for name in names] == [8, 3, 1, 1, 1, 2]
    assert counts["reasons"] == {"tie": 2, "disputed": 1, "near-heldout-prompt": 1}
    assert counts["sources"]["a"] == {"read": 4, "kept_train": 2, "kept_heldout": 0, "tie": 1, "disputed": 1}


def test_a_lost_row_is_an_error():
    tally = Tally()
    tally.keep("kept_train", ["a"])
    with pytest.raises(DataError, match="rows were lost"):
        tally.counts(Counter(a=2))


def test_what_the_rows_hold(make_preference, byte_encoder):
    ranking = make_preference(
        "q", "a", "b", "c", pairs=(Pair(0, 1, 0.8), Pair(0, 2, margin=1.0), Pair(1, 2, 0.5, tie=True))
    )
    tally = Tally()
    tally.describe("train", make_batch([make_preference("p", "a", "b"), ranking], byte_encoder))
    assert tally.counts(Counter())["train"] == {
        "preferences": 2,
        "responses": 5,
        "pairs": 4,
        "ties": 1,
        "soft_labels": 2,
        "undecided_pairs": 1,
        "with_margin": 1,
        # <bos> user:p<eos> assistant: = 18 shared tokens, and each response is a letter and an <eos>.
        "tokens": 18 + 2 * 2 + 18 + 3 * 2,
    }


def test_only_ties_are_nothing_to_train_on(make_preference, byte_encoder):
    tie = make_preference("p", "a", "b", pairs=(Pair(0, 1, 0.5, tie=True),))
    tally = Tally()
    tally.describe("train", make_batch([tie], byte_encoder))
    with pytest.raises(DataError, match="every training pair is undecided"):
        tally.require_preferences()
    tally.describe("train", make_batch([make_preference("p", "a", "b")], byte_encoder))
    tally.require_preferences()
