from __future__ import annotations

from tests.audit.planted import many, simple

from rewardsmith.audit.probes.items import items
from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.preference import Pair, Preference


def test_one_answer_a_group_half_of_them_preferred():
    preferences = many(400)
    drawn = items(preferences, limit=100, seed=0)
    assert len(drawn) == 100
    assert len({item.group for item in drawn}) == 100
    assert sum(item.chosen for item in drawn) == 50
    texts = {preference.group: preference for preference in preferences}
    for item in drawn:
        preference = texts[item.group]
        assert item.conversation == preference.conversation(0 if item.chosen else 1)
        assert item.request == f"question {preference.id}"


def test_more_data_reshuffle_nothing():
    few, more = many(100), many(300)
    assert few == more[:100]
    one, other = items(few, limit=1000, seed=0), items(more, limit=1000, seed=0)
    known = {item.group for item in one}
    order = [item for item in other if item.group in known]
    for chosen in (True, False):
        assert [item for item in one if item.chosen == chosen] == [item for item in order if item.chosen == chosen]


def test_another_seed_draws_others():
    preferences = many(200)
    assert items(preferences, limit=20, seed=0) != items(preferences, limit=20, seed=1)
    assert items(preferences, limit=20, seed=0) == items(list(reversed(preferences)), limit=20, seed=0)


def test_what_cannot_be_changed_is_left_out():
    two_turns = (assistant("let me ask"), user("yes?"), assistant("so"))
    preferences = [
        simple("tie", "a", "b", tie=True),
        simple("empty", "", "b"),
        Preference((), ((assistant("a"),), (assistant("b"),)), (Pair(0, 1),), "no prompt", "no prompt", "s"),
        Preference((user("q"),), (two_turns, (*two_turns[:-1], assistant("no"))), (Pair(0, 1),), "long", "long", "s"),
    ]
    (kept,) = items(preferences, limit=10, seed=0)
    assert kept.group == "long"
    assert kept.request == "yes?"
    assert kept.answer in ("so", "no")


def test_the_side_is_that_of_the_raters_whatever_the_order_of_the_pair():
    swapped = [simple(str(number), "worse", "better", prob_chosen=0.1) for number in range(30)]
    for item in items(swapped, limit=30, seed=0):
        assert item.chosen == (item.answer == "better")
