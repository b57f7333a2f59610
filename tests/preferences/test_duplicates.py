"""Repeats are marked after the first; contradictions on both sides."""

from __future__ import annotations

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.preferences.duplicates import Duplicates, find_duplicates
from rewardsmith.preferences.keys import KeyColumns, row_key

WIN, LOSS, TIE = Pair(0, 1), Pair(1, 0), Pair(0, 1, 0.5, tie=True)


def duplicates(*rows: tuple[str, list[str], list[Pair]]) -> Duplicates:
    columns = KeyColumns()
    for line, (prompt, texts, pairs) in enumerate(rows):
        sides = tuple((assistant(text),) for text in texts)
        row = Preference((user(prompt),), sides, tuple(pairs), id=str(line), group="g", source="s")
        columns.append(row_key(row, "x"), source="s", origin="o", file="f", line=line)
    return find_duplicates(columns.table())


def test_repeats_after_the_first():
    found = duplicates(("p", ["a", "b"], [WIN]), ("q", ["a", "b"], [WIN]), ("p", ["b", "a"], [LOSS]))
    assert found.repeats.tolist() == [False, False, True]
    assert not found.contradicts.any()
    assert found.first.tolist() == [-1, -1, 0]


def test_contradictions_take_all_rows_and_go_before_repeats():
    same = ["a", "b"]
    found = duplicates(("p", same, [WIN]), ("p", same, [WIN]), ("q", same, [LOSS]), ("p", same, [LOSS]))
    assert found.contradicts.tolist() == [True, True, False, True]
    assert not found.repeats.any()
    assert found.first.tolist() == [3, 3, -1, 0]


def test_a_tie_contradicts_nothing():
    found = duplicates(("p", ["a", "b"], [WIN]), ("p", ["a", "b"], [TIE]), ("p", ["a", "b"], [TIE]))
    assert found.repeats.tolist() == [False, False, True]
    assert not found.contradicts.any()


def test_rankings_contradict_by_a_single_pair():
    texts = ["a", "b", "c"]
    upward = [Pair(0, 1), Pair(1, 2), Pair(0, 2)]
    one_swapped = [Pair(0, 1), Pair(2, 1), Pair(0, 2)]
    fewer = [Pair(0, 1)]
    found = duplicates(("p", texts, upward), ("p", texts, one_swapped), ("p", texts, fewer))
    # a > b alone agrees with both.
    assert found.contradicts.tolist() == [True, True, False]
    assert not found.repeats.any()


def test_no_rows():
    assert len(duplicates().repeats) == 0
