"""Rated rows of each layout, exactly as they are written, and what is refused."""

from __future__ import annotations

import pytest

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import DataError
from rewardsmith.preferences.outcome import RawRow, Reason, Rejection
from rewardsmith.preferences.ratings.rating import Rating
from rewardsmith.preferences.ratings.reading import read_ratings
from rewardsmith.preferences.settings import SourceSettings

HELPSTEER = {
    "prompt": "Why is the sky blue?",
    "response": "Light is scattered.",
    "helpfulness": 3,
    "correctness": 4,
    "coherence": 4,
    "complexity": 2,
    "verbosity": None,
}
OWN = {"prompt_id": "p1", "prompt": "q", "response": "a", "ratings": {"overall": 4.5}, "source": "USR", "meta": {}}
ULTRAFEEDBACK = {
    "instruction": "Say hi.",
    "completions": [
        {"response": "Hi!", "overall_score": 8.0, "annotations": {"honesty": {"Rating": "4"}, "x": {"Rating": "N/A"}}},
        {"response": "", "overall_score": 2.0},
        {"response": "No.", "overall_score": 1.0},
    ],
}


def outcomes(*rows: dict | None, attributes: tuple[str, ...] = (), layout: str | None = None) -> list:
    raw = [RawRow(values, "file.jsonl", line) for line, values in enumerate(rows, start=1)]
    source = SourceSettings(path="file.jsonl", layout=layout)
    return [each.outcome for each in read_ratings(raw, source, attributes=attributes)]


def reasons(*rows: dict | None, **settings) -> list[Reason | None]:
    found = outcomes(*rows, **settings)
    return [outcome.reason if isinstance(outcome, Rejection) else None for outcome in found]


def test_helpsteer_with_an_attribute_that_was_not_judged():
    (rating,) = outcomes(HELPSTEER)

    assert rating == Rating(
        prompt=(user("Why is the sky blue?"),),
        response=(assistant("Light is scattered."),),
        ratings={"helpfulness": 3.0, "correctness": 4.0, "coherence": 4.0, "complexity": 2.0},
        id="file:1",
        group=rating.group,
        source="file",
    )
    assert rating.conversation == (user("Why is the sky blue?"), assistant("Light is scattered."))


def test_helpsteer2_with_several_turns():
    turns = "Hi<extra_id_1>Assistant\nHello!<extra_id_1>User\nWhy?"

    (rating,) = outcomes(HELPSTEER | {"prompt": turns})

    assert rating.prompt == (user("Hi"), assistant("Hello!"), user("Why?"))


def test_own_rows_say_group_and_source():
    (rating,) = outcomes(OWN)

    assert (rating.group, rating.source, rating.ratings) == ("p1", "USR", {"overall": 4.5})


def test_each_completion_of_ultrafeedback_is_a_response():
    first, second, third = outcomes(ULTRAFEEDBACK)

    assert first.ratings == {"overall_score": 8.0, "honesty": 4.0}
    assert first.id == "file:1#0"
    assert second.reason == Reason.EMPTY_SIDE
    assert third.ratings == {"overall_score": 1.0}
    assert first.group == third.group


def test_only_the_attributes_that_are_asked_for():
    rows = [OWN | {"ratings": {"clarity": 1, "depth": 2}}, OWN | {"ratings": {"clarity": 1}}]

    first, second = outcomes(*rows, attributes=("depth",))

    assert first.ratings == {"depth": 2.0}
    assert second.reason == Reason.UNREADABLE
    assert "clarity" in second.detail


def test_what_cannot_be_read_says_why():
    good = [OWN] * 8
    bad = [
        OWN | {"ratings": {}},
        OWN | {"ratings": [1]},
        OWN | {"ratings": {"overall": "much"}},
        OWN | {"response": "  "},
        OWN | {"response": 3},
        OWN | {"prompt": [{"role": "bot", "content": "x"}]},
        OWN | {"prompt": [{"role": "assistant", "content": "x"}]},
        OWN | {"prompt": "half a pair \ud800"},
        OWN | {"tools": [{"name": "search"}]},
        {"prompt": "q", "response": "a"},
        None,
    ]

    assert reasons(*good, *bad)[8:] == [
        Reason.UNREADABLE,
        Reason.WRONG_TYPE,
        Reason.WRONG_TYPE,
        Reason.EMPTY_SIDE,
        Reason.WRONG_TYPE,
        Reason.WRONG_ROLES,
        Reason.WRONG_ROLES,
        Reason.WRONG_TYPE,
        Reason.TEMPLATE_INPUT,
        Reason.UNREADABLE,
        Reason.UNREADABLE,
    ]


def test_pairs_hold_no_ratings():
    with pytest.raises(DataError, match="no ratings"):
        outcomes({"prompt": "q", "chosen": "a", "rejected": "b"})
