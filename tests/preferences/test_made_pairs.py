"""Pairs that nobody judged: what they are made of, which preferences serve, and what cannot be made."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.preference import Pair
from rewardsmith.preferences.layouts.rows import MADE
from rewardsmith.preferences.made_pairs import against_cut, against_other, best_response, cut_text, made_pairs
from rewardsmith.preferences.table import from_preferences

LONG = "One two three four. Five six seven eight nine ten. Eleven twelve thirteen."


def test_an_answer_beats_that_of_another_prompt(make_preference):
    own = make_preference("p", "bad", "good", pairs=(Pair(1, 0),), group="g", source="s")
    other = make_preference("q", "fits q", "worse")

    made = against_other(own, other)

    assert made is not None
    assert made.prompt == own.prompt
    assert made.responses == ((assistant("good"),), (assistant("fits q"),))
    assert made.pairs == (Pair(0, 1),)
    assert (made.id, made.group, made.source) == ("p~other_answer", "g", "s")
    assert made.meta[MADE] == {"kind": "other_answer", "from": "p", "answer_of": "q"}


def test_an_answer_beats_its_beginning(make_preference):
    turns = (assistant("first"), user("and?"), assistant(LONG))
    preference = make_preference("p", "x", "y")
    whole = preference.__class__(
        preference.prompt, (turns, (assistant("y"),)), preference.pairs, id="p", group="g", source="s"
    )

    made = against_cut(whole, share=0.5)

    assert made is not None
    # Of 13 words 6; none of them ends a sentence.
    assert made.responses[1] == (*turns[:2], assistant("One two three four. Five six"))
    assert made.responses[0] == turns
    assert made.meta[MADE] == {"kind": "cut_answer", "from": "p", "kept": 0.5}


def test_a_cut_stands_inside_a_sentence():
    # 4 of 13 words would end with “four.”.
    assert cut_text(LONG, share=0.31) == "One two three"
    assert cut_text("a. " * 20, share=0.5) == "a."
    assert cut_text(" ".join(["word"] * 11), share=0.5) is None


@settings(deadline=None)
@given(st.text(min_size=1), st.floats(0.3, 0.7))
def test_a_cut_is_a_beginning(text: str, share: float):
    cut = cut_text(text, share=share)
    if cut is None:
        assert len(text.split()) < 12 or "\x1c" in text or "\x1d" in text or "\x1e" in text or "\x1f" in text
    else:
        assert cut.strip()
        assert text.startswith(cut)
        assert len(cut) < len(text.rstrip())


@pytest.mark.parametrize(
    ("pairs", "best"),
    [
        ((Pair(0, 1), Pair(0, 2), Pair(1, 2)), 0),
        ((Pair(0, 1, prob_chosen=0.2), Pair(1, 2)), 1),
        ((Pair(2, 0), Pair(1, 0)), 1),
        ((Pair(0, 1, prob_chosen=0.5, tie=True), Pair(0, 2, prob_chosen=0.5)), None),
    ],
)
def test_the_best_response_wins_most(make_preference, pairs, best):
    assert best_response(make_preference("p", "a", "b", "c", pairs=pairs)) == best


def test_what_cannot_be_made(make_preference):
    tie = (Pair(0, 1, prob_chosen=0.5, tie=True),)
    decided, undecided = make_preference("p", "a", "b"), make_preference("q", "c", "d", pairs=tie)
    assert against_other(decided, undecided) is None
    assert against_other(undecided, decided) is None
    assert against_other(decided, make_preference("r", "a", "e")) is None
    assert against_cut(undecided, share=0.5) is None
    assert against_cut(decided, share=0.5) is None


def rows_of(make_preference, count: int):
    return [make_preference(f"p{n}", f"{LONG} {n}", f"no {n}") for n in range(count)]


def test_shares_are_kept_and_added_data_move_little(make_preference):
    shares = {"other_answer": 0.3, "cut_answer": 0.6}
    few, many = (from_preferences(rows_of(make_preference, count)) for count in (300, 400))
    first, second = (list(made_pairs(table, shares=shares, salt="s")) for table in (few, many))

    kinds = [pair.meta[MADE]["kind"] for _, pair in first if pair is not None]
    assert len(kinds) == len(first)
    assert kinds.count("other_answer") / 300 == pytest.approx(0.3, abs=0.08)
    assert kinds.count("cut_answer") / 300 == pytest.approx(0.6, abs=0.08)
    serving = {number for number, pair in first if pair and pair.meta[MADE]["kind"] == "cut_answer"}
    assert serving == {n for n, pair in second if pair and pair.meta[MADE]["kind"] == "cut_answer" and n < 300}
    assert list(made_pairs(few, shares=shares, salt="s")) == first
    assert list(made_pairs(few, shares=shares, salt="t")) != first
    assert list(made_pairs(few, shares={"other_answer": 0.0, "cut_answer": 0.0}, salt="s")) == []


def test_an_answer_is_never_set_against_one_of_its_own_group(make_preference):
    rows = [make_preference(f"p{n}", f"answer {n}", "no", group=f"g{n % 2}") for n in range(30)]
    made = list(made_pairs(from_preferences(rows), shares={"other_answer": 1.0, "cut_answer": 0.0}, salt="s"))
    assert len(made) == 30
    for number, pair in made:
        assert pair is not None
        other = int(pair.meta[MADE]["answer_of"].removeprefix("p"))
        assert other % 2 != number % 2

    alone = [make_preference(f"p{n}", f"answer {n}", "no", group="g") for n in range(3)]
    made = list(made_pairs(from_preferences(alone), shares={"other_answer": 1.0, "cut_answer": 0.0}, salt="s"))
    assert [pair for _, pair in made] == [None, None, None]
