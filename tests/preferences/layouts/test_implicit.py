"""Implicit prompts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.preference import Pair
from rewardsmith.preferences.layouts.implicit import common_chars, split_texts
from rewardsmith.preferences.outcome import Reason

USER = {"role": "user", "content": "q"}
A = {"role": "assistant", "content": "a"}
B = {"role": "assistant", "content": "b"}
WORDS = st.lists(st.sampled_from(["red", "blue", "black", "is", "the"]), min_size=1, max_size=6).map(" ".join)


@pytest.mark.parametrize(
    ("chosen", "rejected", "prompt"),
    [
        ("The sky is blue.", "The sky is green.", "The sky is"),
        ("The sky is blue.", "The sky is black.", "The sky is"),
        ("Blue.", "Black.", ""),
        ("It is", "It is blue.", "It"),
        ("is", "is blue", ""),
    ],
)
def test_common_text_is_cut_back_to_a_word_and_leaves_both_sides_something(chosen, rejected, prompt) -> None:
    assert split_texts(chosen, rejected) == (
        prompt,
        chosen.removeprefix(prompt).strip(),
        rejected.removeprefix(prompt).strip(),
    )


@given(WORDS, WORDS)
def test_nothing_of_a_text_is_lost(chosen: str, rejected: str) -> None:
    prompt, first, second = split_texts(chosen, rejected)
    assert f"{prompt} {first}".strip() == chosen
    assert f"{prompt} {second}".strip() == rejected
    assert first
    assert second


@given(st.text("ab", max_size=12), st.text("ab", max_size=12))
def test_common_chars(one: str, other: str) -> None:
    count = next((n for n, (x, y) in enumerate(zip(one, other, strict=False)) if x != y), min(len(one), len(other)))
    assert common_chars(one, other) == count


def test_plain(read_all) -> None:
    outcome = read_all({"chosen": "The sky is blue.", "rejected": "The sky is green."})[0].outcome
    assert outcome.prompt == (user("The sky is"),)
    assert outcome.responses == ((assistant("blue."),), (assistant("green."),))


def test_texts_without_a_common_beginning_are_grouped_by_themselves(read_all) -> None:
    first, second, swapped = (
        result.outcome
        for result in read_all(
            {"chosen": "Blue.", "rejected": "Green."},
            {"chosen": "One.", "rejected": "Two."},
            {"chosen": "Green.", "rejected": "Blue."},
        )
    )
    assert first.prompt == ()
    assert first.group != second.group
    assert first.group == swapped.group


def test_trl_ultrafeedback_binarized(read_all) -> None:
    row = {"chosen": [USER, A], "rejected": [USER, B], "score_chosen": 5.0, "score_rejected": 4.0}
    outcome = read_all(row)[0].outcome
    assert outcome.prompt == (user("q"),)
    assert outcome.responses == ((assistant("a"),), (assistant("b"),))
    assert outcome.pairs == (Pair(0, 1, margin=1.0),)


def test_several_turns_can_follow_the_common_ones(read_all) -> None:
    outcome = read_all({"chosen": [USER, A, USER, B], "rejected": [USER, B, USER, A]})[0].outcome
    assert outcome.prompt == (user("q"),)
    assert outcome.responses[0] == (assistant("a"), user("q"), assistant("b"))


@pytest.mark.parametrize(
    ("chosen", "rejected", "reason"),
    [
        ([USER, A], [USER, A], Reason.IDENTICAL),
        ([USER, A], [USER], Reason.EMPTY_SIDE),
        ([USER, A], [{"role": "user", "content": "other"}, A], Reason.DIFFERENT_PROMPTS),
        ([USER, A], [USER, A, USER], Reason.EMPTY_SIDE),
        ([USER, A], [USER, B, B], Reason.WRONG_ROLES),
        ([USER, A], "b", Reason.WRONG_TYPE),
        ("a", "a", Reason.IDENTICAL),
        ("a", " ", Reason.EMPTY_SIDE),
    ],
)
def test_rejections(read_all, chosen, rejected, reason) -> None:
    outcome = read_all({"chosen": chosen, "rejected": rejected})[0].outcome
    assert outcome.reason is reason
