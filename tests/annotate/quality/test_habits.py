"""Place, length and pace of one rater, by hand."""

from __future__ import annotations

import math

import pytest
from tests.annotate.quality.made import task, vote

from rewardsmith.annotate.quality.habits import (
    first_place,
    hasty_share,
    longer_overall,
    longer_preference,
    longer_share,
    pace,
)
from rewardsmith.annotate.quality.items import counted, items_of
from rewardsmith.annotate.votes import Vote

# Response 0 is the shorter, 1 the longer.
TASKS = {f"t{number}": task(f"t{number}") for number in range(8)}


def test_the_first_place_is_where_the_response_stood():
    votes = [
        vote("t0", "r", "first", shown=(0, 1)),  # first place
        vote("t1", "r", "first", shown=(1, 0)),  # second place
        vote("t2", "r", "second", shown=(1, 0)),  # first place
        vote("t3", "r", "tie", shown=(1, 0)),
        vote("t4", "r", None, shown=(1, 0)),
    ]

    assert first_place(votes, TASKS).value == pytest.approx(2 / 3)
    assert first_place(votes, TASKS).n == 3


def test_of_a_ranking_every_comparison_has_an_earlier_place():
    three = {"t": task("t", kind="ranking", responses=("x", "y", "z"))}
    # Shown 2, 0, 1; ranked 0 best, then 1, then 2. Earlier against later: 2–0 lost, 2–1 lost, 0–1 won.
    assert first_place([vote("t", "r", (1, 2, 3), shown=(2, 0, 1))], three).value == pytest.approx(1 / 3)


def votes_of(own: str, others: str) -> list[Vote]:
    """Rater r's votes on t0, t1, …, and those of o; `l` for the longer response, `s` for the shorter."""
    word = {"l": "second", "s": "first", "t": "tie"}
    return [
        each
        for place, (one, other) in enumerate(zip(own, others, strict=True))
        for each in (vote(f"t{place}", "r", word[one]), vote(f"t{place}", "o", word[other]))
    ]


def test_length_is_judged_where_the_others_lean_either_way():
    votes = votes_of("llslllt", "llllsst")
    items = items_of(counted(votes), TASKS)

    # Where the other prefers the longer (4): 3 of 4. Where the shorter (2): 2 of 2. Balanced (¾ + 1) / 2.
    assert longer_preference(items, TASKS, "r").value == pytest.approx(0.875)
    assert longer_share(items, TASKS, "r").value == pytest.approx(5 / 6)
    # All: r 5 of 6, o 4 of 6.
    assert longer_overall(counted(votes), TASKS).value == pytest.approx(9 / 12)


def test_length_says_nothing_where_the_others_lean_one_way_only():
    items = items_of(counted(votes_of("ls", "ll")), TASKS)

    assert math.isnan(longer_preference(items, TASKS, "r").value)


def test_equal_lengths_say_nothing():
    same = {"t0": task("t0", responses=("aa", "bb"))}

    assert longer_share(items_of([vote("t0", "r", "first")], same), same, "r").n == 0


def test_pace_is_seconds_a_word():
    # "Prompt of t0", "short", "rather longer": 6 words, and 10 to settle.
    votes = [vote("t0", "r", "first", seconds=16.0), vote("t1", "r", "first", seconds=0.0)]

    assert pace(votes, TASKS).value == pytest.approx(0.0)
    assert pace(votes, TASKS).n == 1


def test_a_vote_is_hasty_below_fifteen_words_a_second():
    votes = [vote("t0", "r", "first", seconds=0.39), vote("t1", "r", "first", seconds=0.41)]  # 6 / 15 = 0.4

    assert hasty_share(votes, TASKS) == 0.5
    assert math.isnan(hasty_share([vote("t0", "r", "first", seconds=0.0)], TASKS))
