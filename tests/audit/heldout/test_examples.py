from __future__ import annotations

import pytest
from tests.audit.planted import PROVENANCE, simple

from rewardsmith.audit.heldout.examples import pick_examples
from rewardsmith.audit.observations import Rewards, observe
from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.preference import Pair, Preference


def picked(preferences, rewards, count=2):
    table = {
        preference.conversation(index): value
        for preference, values in zip(preferences, rewards, strict=True)
        for index, value in enumerate(values)
    }
    scored = Rewards(table, PROVENANCE)
    return pick_examples(preferences, observe(preferences, scored), scored, count=count)


def test_wrong_and_unsure_pairs_come_in_order():
    preferences = [simple(name, "a", "b") for name in ("right", "wrong", "very-wrong", "unsure")]
    examples = picked(preferences, [(3.0, 0.0), (0.0, 1.0), (0.0, 5.0), (0.1, 0.0)])
    assert [example.id for example in examples.wrong] == ["very-wrong", "wrong"]
    assert [example.id for example in examples.unsure] == ["unsure", "wrong"]
    first = examples.wrong[0]
    assert (first.chosen_reward, first.rejected_reward, first.margin) == (0.0, 5.0, -5.0)
    assert first.rejected[0].content == "b"


def test_answers_are_centred_within_their_prompt():
    # Raw rewards of the second prompt are far higher, and say nothing about the first.
    three = Preference(
        prompt=(user("p"),),
        responses=((assistant("low"),), (assistant("middle"),), (assistant("high"),)),
        pairs=(Pair(2, 1), Pair(1, 0)),
        id="three",
        group="p",
        source="s",
    )
    examples = picked([three, simple("offset", "a", "b")], [(1.0, 2.0, 6.0), (101.0, 100.0)])
    assert [answer.answer[0].content for answer in examples.highest] == ["high", "a"]
    assert [answer.centred for answer in examples.highest] == pytest.approx([3.0, 0.5])
    assert [answer.answer[0].content for answer in examples.lowest] == ["low", "middle"]
    assert examples.highest[0].reward == 6.0


def test_ties_of_the_raters_and_rewards_that_are_no_numbers_are_not_shown():
    preferences = [simple("tie", "a", "b", tie=True), simple("nan", "a", "b")]
    examples = picked(preferences, [(0.0, 9.0), (float("nan"), 0.0)])
    assert examples.wrong == examples.unsure == ()
    assert all(answer.id == "tie" for answer in examples.highest + examples.lowest)


def test_a_model_that_is_always_right_has_no_wrong_pair():
    assert picked([simple("1", "a", "b")], [(1.0, 0.0)]).wrong == ()
