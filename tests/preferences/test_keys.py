"""Digests tell apart what differs, and only that."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.preferences.keys import KeyColumns, group_hash, row_key


def preference(prompt: str, responses: list[str], pairs: list[Pair], group: str = "g") -> Preference:
    sides = tuple((assistant(text),) for text in responses)
    return Preference((user(prompt),), sides, tuple(pairs), id="i", group=group, source="s")


def test_group_hash_is_the_start_of_a_salted_sha256():
    assert group_hash("g", "salt") == int.from_bytes(hashlib.sha256(b"salt\0g").digest()[:8], "big")


@given(st.permutations(range(4)))
def test_the_order_of_responses_does_not_matter(order):
    texts = ["a", "b", "c", "d"]
    place = {old: new for new, old in enumerate(order)}
    first = preference("p", texts, [Pair(0, 1), Pair(2, 3), Pair(0, 3, 0.7)])
    moved = [Pair(place[0], place[1]), Pair(place[2], place[3]), Pair(place[0], place[3], 0.7)]
    second = preference("p", [texts[old] for old in order], moved)
    assert row_key(first, "x") == row_key(second, "x")


def test_a_swapped_label_keeps_the_content_and_turns_the_orientation():
    key = row_key(preference("p", ["a", "b"], [Pair(0, 1)]), "x")
    swapped = row_key(preference("p", ["a", "b"], [Pair(1, 0)]), "x")
    assert key.content == swapped.content
    assert key.label != swapped.label
    assert (key.wins, key.losses) == (swapped.losses, swapped.wins)
    assert key.wins | key.losses == 1


def test_a_probability_below_a_half_is_the_opposite_label():
    key = row_key(preference("p", ["a", "b"], [Pair(0, 1)]), "x")
    soft = row_key(preference("p", ["a", "b"], [Pair(1, 0, 0.3)]), "x")
    assert (key.wins, key.losses) == (soft.wins, soft.losses)


def test_ties_have_no_orientation_and_no_order():
    one = row_key(preference("p", ["a", "b"], [Pair(0, 1, 0.5, tie=True)]), "x")
    other = row_key(preference("p", ["b", "a"], [Pair(0, 1, 0.5, tie=True)]), "x")
    assert one == other
    assert one.wins == one.losses == 0


def test_prompts_are_the_same_up_to_their_normal_form_and_contents_exactly():
    first = row_key(preference("What is it?", ["a", "b"], [Pair(0, 1)]), "x")
    second = row_key(preference("what is  it", ["a", "b"], [Pair(0, 1)]), "x")
    assert first.prompt == second.prompt
    assert first.content != second.content
    assert row_key(preference("", ["a", "b"], [Pair(0, 1)]), "x").prompt == 0


def test_the_table_holds_what_was_appended():
    columns = KeyColumns()
    key = row_key(preference("p", ["a", "b"], [Pair(0, 1)]), "x")
    columns.append(key, source="s", origin="one", file="f.jsonl", line=3)
    columns.append(key, source="t", origin="two", file="f.jsonl", line=5)
    table = columns.table()
    assert len(columns) == len(table) == 2
    assert table.group[1] == key.group
    assert table.wins[0] == key.wins
    assert (table.place(0), table.place(1)) == ("f.jsonl:3", "f.jsonl:5")
    assert table.source.tolist() == [0, 1]
    assert table.origin.tolist() == ["one", "two"]
    assert table.lottery[0] == table.lottery[1]


def test_an_empty_table():
    table = KeyColumns().table()
    assert len(table) == 0
    assert table.origin.tolist() == []
