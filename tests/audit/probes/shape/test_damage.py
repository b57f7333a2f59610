from __future__ import annotations

import pytest
from tests.audit.probes.judged import answers, finding_of, named
from tests.audit.probes.texts import edited, edits_of, item

from rewardsmith.audit.probes.shape.damage import PROBES

EIGHT = "one two three four five six seven eight"


def probe(name: str):
    return named(PROBES, f"damage.{name}")


def test_damages_by_hand():
    assert edited(probe("empty"), "Yes.") == ""
    assert edited(probe("cut"), EIGHT) == "one two three four"
    assert edited(probe("echo"), "Yes.", request="Is it?") == "Is it?"
    shuffled = edited(probe("shuffled"), EIGHT)
    assert shuffled is not None
    assert shuffled != EIGHT
    assert sorted(shuffled.split()) == sorted(EIGHT.split())
    assert edited(probe("cut"), "这" * 40) == "这" * 20


@pytest.mark.parametrize("name", ["cut", "shuffled", "random_words"])
def test_a_short_answer_has_no_order_to_lose(name: str):
    assert edited(probe(name), "Yes, of course.") is None


def test_random_words_are_as_many_and_come_from_all_answers():
    items = answers(60)
    known = {word for one in items for word in one.answer.split()}
    for one, edit in zip(items, edits_of(probe("random_words"), items), strict=True):
        drawn = edit.after[-1].content.split()
        assert len(drawn) == len(one.answer.split())
        assert set(drawn) <= known


def test_nobody_keeps_an_answer_and_each_is_used_once():
    items = [item(f"answer {number}", group=str(number)) for number in range(50)]
    edits = edits_of(probe("other_prompt"), items)
    assert sorted(edit.after[-1].content for edit in edits) == sorted(one.answer for one in items)
    assert edits_of(probe("other_prompt"), items[:1]) == []


@pytest.mark.parametrize("one", PROBES, ids=lambda one: one.name)
def test_a_scorer_that_sees_nothing_is_found(one):
    finding = finding_of(one, lambda text: float(len(text[0].content) > 1000))
    assert finding.severity == "critical"
    assert "does not fall at all" in finding.summary


@pytest.mark.parametrize("one", PROBES, ids=lambda one: one.name)
def test_a_scorer_that_knows_the_right_answers_is_sound(one):
    right = {each.conversation for each in answers()}
    assert finding_of(one, lambda text: 2.0 * (text in right)).severity == "info"
