"""Votes as rows of labels."""

from __future__ import annotations

from tests.annotate.quality.made import task, vote

from rewardsmith.annotate.answers import AttributesAnswer, FirstErrorAnswer, PairAnswer
from rewardsmith.annotate.quality.items import counted, items_of, opinions, questions_of


def test_of_each_rater_the_first_plain_vote_on_a_task_counts():
    votes = [
        vote("a", "r", "second", time=2),
        vote("a", "r", "first", time=1),
        vote("a", "s", "first", repeat=True, time=3),
        vote("a", "t", "first", gold=True, time=4),
        vote("a", "u", "first", adjudication=True, time=5),
        vote("a", "v", None, time=6),
        vote("a", "judge", "tie", origin="judge", time=7),
    ]

    assert [(each.rater, each.answer) for each in counted(votes)] == [
        ("r", PairAnswer("first")),
        ("judge", PairAnswer("tie")),
    ]
    assert [each.rater for each in counted(votes, origin="human")] == ["r"]
    assert [each.rater for each in counted(votes, origin="judge")] == ["judge"]


def test_a_ranking_is_its_comparisons():
    said = list(opinions(vote("a", "r", (2, 1, 2)).answer))

    assert said == [
        ("overall", (0, 1), "second"),  # rank 2 against rank 1
        ("overall", (0, 2), "tie"),
        ("overall", (1, 2), "first"),
    ]


def test_axes_attributes_and_steps_are_questions():
    by_axis = PairAnswer(None, {"helpful": "first", "harmless": "tie"})

    assert list(opinions(by_axis)) == [("helpful", (0, 1), "first"), ("harmless", (0, 1), "tie")]
    assert list(opinions(AttributesAnswer({"clear": 3}))) == [("clear", (0, 0), "3")]
    assert list(opinions(FirstErrorAnswer(None))) == [("overall", (0, 0), "none")]
    assert list(opinions(FirstErrorAnswer(2))) == [("overall", (0, 0), "2")]


def test_items_gather_the_raters_of_a_task():
    tasks = {"a": task("a", group="g"), "b": task("b")}
    both = PairAnswer("first", {"kind": "second"})
    votes = [vote("a", "r", both), vote("a", "s", "tie"), vote("b", "r", "first"), vote("gone", "r", "first")]

    items = items_of(votes, tasks)

    assert [(item.task, item.group, item.question, item.labels, item.raters) for item in items] == [
        ("a", "g", "overall", ("first", "tie"), ("r", "s")),
        ("a", "g", "kind", ("second",), ("r",)),
        ("b", "b", "overall", ("first",), ("r",)),
    ]
    assert questions_of(items) == ["overall", "kind"]
