"""Words, normal forms, and the two ways to count shingles."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.conversation import assistant, user
from rewardsmith.preferences.shingles import hash_shingles, jaccard, normalise, prompt_text, shingles, words


def test_words_of_spaced_and_unspaced_scripts():
    assert words("Don't PANIC, 42!") == ["don", "t", "panic", "42"]
    assert words("你好 world") == ["你", "好", "world"]


def test_normal_form_ignores_case_spacing_and_outer_punctuation():
    assert normalise("  What\nIS it?! ") == normalise("what is it") == "what is it"
    assert normalise("2 + 2") != normalise("2 - 2")
    assert normalise("?!") == "?!"


def test_prompt_text_has_every_turn():
    assert prompt_text((user("a"), assistant("b"), user("c"))) == "a\nb\nc"


def test_jaccard_by_hand():
    # {abc, bcd} and {abc, bce}: one common of three.
    assert jaccard("a b c d", "a b c e") == 1 / 3
    assert jaccard("a b c d", "A, b; c. d!") == 1
    assert jaccard("hi", "Hi!") == 1
    assert jaccard("hi", "ho") == 0
    assert jaccard("hi", "a b c") == 0


@given(st.lists(st.text(alphabet="ab c?", max_size=30), max_size=6))
def test_hashes_count_the_same_sets(texts):
    hashes, offsets = hash_shingles(texts)
    sets = [set(hashes[start:end].tolist()) for start, end in pairwise(offsets)]
    assert len(offsets) == len(texts) + 1
    for text, hashed in zip(texts, sets, strict=True):
        assert len(hashed) == len(shingles(text))
    for i, first in enumerate(texts):
        for j, second in enumerate(texts):
            assert len(sets[i] & sets[j]) == len(shingles(first) & shingles(second))


def test_hashes_do_not_change_from_process_to_process():
    hashes, _ = hash_shingles(["one two three"])
    assert hashes.tolist() == [hash_shingles(["x y z w", "One two THREE"])[0][-1]]
    assert hashes.dtype == np.uint64
