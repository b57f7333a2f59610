"""Each check refuses what it should, with the reason that it should, and leaves sound rows alone."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from rewardsmith.core.conversation import Message, assistant, user
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.preferences.checks import check, merge_identical
from rewardsmith.preferences.outcome import Reason, Rejection
from rewardsmith.preferences.settings import DataSettings

DEFAULT = DataSettings()


def reason_of(outcome: Preference | Rejection) -> Reason:
    assert isinstance(outcome, Rejection)
    return outcome.reason


def test_a_sound_pair_is_returned_as_it_is(make_preference):
    pair = make_preference("Why?", "Because.", "No idea.")
    assert check(pair, DEFAULT) is pair


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"responses": ((), (assistant("b"),))}, Reason.EMPTY_SIDE),
        ({"responses": ((assistant(" \n"),), (assistant("b"),))}, Reason.EMPTY_SIDE),
        ({"prompt": (user("  "),)}, Reason.EMPTY_SIDE),
        ({"responses": ((user("a"),), (assistant("b"),))}, Reason.WRONG_ROLES),
        ({"responses": ((assistant("a"), user("more")), (assistant("b"),))}, Reason.WRONG_ROLES),
        ({"prompt": (user("q"), user("q again"))}, Reason.WRONG_ROLES),
        ({"prompt": (user("q"), assistant("half an answer"))}, Reason.WRONG_ROLES),
        ({"prompt": (user("q"), Message("system", "late"))}, Reason.WRONG_ROLES),
        ({"prompt": (Message("robot", "q"),)}, Reason.WRONG_ROLES),
        ({"prompt": (Message("user", 3),)}, Reason.WRONG_TYPE),  # type: ignore[arg-type]
        ({"prompt": (user("broken \ud83d"),)}, Reason.WRONG_TYPE),
        ({"pairs": (Pair(0, 1, prob_chosen=1.2),)}, Reason.WRONG_TYPE),
        ({"pairs": (Pair(0, 1, prob_chosen=math.nan),)}, Reason.WRONG_TYPE),
        ({"pairs": (Pair(0, 1, margin=math.inf),)}, Reason.WRONG_TYPE),
        ({"pairs": (Pair(0, 1, weight=-1.0),)}, Reason.WRONG_TYPE),
        ({"responses": ((assistant("same"),), (assistant(" same "),))}, Reason.IDENTICAL),
        ({"pairs": (Pair(0, 1, 0.5, tie=True),)}, Reason.TIE),
        ({"pairs": ()}, Reason.NO_COMPARISON),
    ],
)
def test_unsound_rows_have_their_reason(make_preference, changes, reason):
    assert reason_of(check(replace(make_preference("q", "a", "b"), **changes), DEFAULT)) == reason


def test_system_and_tool_turns_are_sound(make_preference):
    turns = (Message("system", "s"), user("q"), assistant("call"), Message("tool", "1"), Message("tool", "2"))
    pair = replace(make_preference("q", "a", "b"), prompt=turns)
    assert check(pair, DEFAULT) is pair


def test_an_absent_prompt_is_sound(make_preference):
    pair = make_preference("", "a", "b")
    assert check(pair, DEFAULT) is pair


def test_ties_stay_where_they_are_wanted(make_preference):
    tie = make_preference("q", "a", "b", pairs=(Pair(0, 1, 0.5, tie=True),))
    assert check(tie, DataSettings(ties="keep")) is tie


def test_disputed_rows_go_to_review_and_unanimous_ties_do_not(make_preference):
    settings = DataSettings(min_agreement=0.7)
    split = make_preference("q", "a", "b", votes=("chosen", "chosen", "rejected"))
    assert reason_of(check(split, settings)) == Reason.DISPUTED  # 2/3 < .7
    assert isinstance(check(split, DataSettings(min_agreement=0.6)), Preference)  # 2/3 ≥ .6
    tie = make_preference("q", "a", "b", votes=("tie", "tie"), pairs=(Pair(0, 1, 0.5, tie=True),))
    assert reason_of(check(tie, settings)) == Reason.TIE
    even = replace(tie, votes=("chosen", "rejected"))
    assert reason_of(check(even, settings)) == Reason.DISPUTED


def test_soft_labels_are_the_share_of_votes(make_preference):
    row = make_preference("q", "a", "b", votes=("chosen", "tie", "rejected", "chosen"))
    kept = check(row, DataSettings(soft_labels=True))
    assert isinstance(kept, Preference)
    assert kept.pairs[0].prob_chosen == 2.5 / 4
    assert check(row, DEFAULT) is row


def test_identical_responses_of_a_ranking_become_one(make_preference):
    ranking = make_preference("q", "a", "b", "a ", "c", pairs=(Pair(0, 1), Pair(0, 2), Pair(2, 3), Pair(1, 3)))
    merged = merge_identical(ranking)
    assert [response[0].content for response in merged.responses] == ["a", "b", "c"]
    # a > b stays; a > "a " goes; "a " > c becomes a > c; b > c moves from (1, 3) to (1, 2).
    assert merged.pairs == (Pair(0, 1), Pair(0, 2), Pair(1, 2))


def test_opposite_pairs_of_merged_responses_both_go(make_preference):
    ranking = make_preference("q", "a", "b", "a", pairs=(Pair(0, 1), Pair(1, 2)))
    assert merge_identical(ranking).pairs == ()
    assert reason_of(check(ranking, DEFAULT)) == Reason.NO_COMPARISON


def test_responses_without_a_pair_go(make_preference):
    ranking = make_preference("q", "a", "b", "c", pairs=(Pair(0, 1, 0.5, tie=True), Pair(0, 2, margin=2.0)))
    kept = check(ranking, DEFAULT)
    assert isinstance(kept, Preference)
    assert [response[0].content for response in kept.responses] == ["a", "c"]
    assert kept.pairs == (Pair(0, 1, margin=2.0),)


def test_filters_are_off_unless_asked_for(make_preference):
    cut = make_preference("q", "A whole sentence.", "This one stops in the")
    assert isinstance(check(cut, DEFAULT), Preference)
    assert reason_of(check(cut, DataSettings(complete_sentences=True))) == Reason.INCOMPLETE_SENTENCE
    bad = make_preference("q", "A whole sentence.", "spam and eggs " * 40)
    assert isinstance(check(bad, DEFAULT), Preference)
    assert reason_of(check(bad, DataSettings(drop_obviously_bad=True))) == Reason.OBVIOUSLY_BAD
