from __future__ import annotations

import dataclasses

from tests.annotate.pages.labelling import PROJECTS, make_task

from rewardsmith.annotate.answers import PairAnswer
from rewardsmith.annotate.pages.view import Question, Scale, view_of
from rewardsmith.core.conversation import response_text


def test_answers_stand_as_they_were_ordered():
    view = view_of(make_task("ranking", "t", texts=("a", "b", "c")), PROJECTS["ranks"], shown=(2, 0, 1))
    assert [response_text(answer) for answer in view.answers] == ["c", "a", "b"]


def test_only_a_vote_without_further_questions_is_one_press():
    task = make_task("pair", "t")
    plain = PROJECTS["pairs"]
    assert view_of(task, plain, shown=(0, 1)).is_instant
    for change in ({"axes": ("helpful",)}, {"rationale": "required"}, {"axes": ("helpful",), "overall": False}):
        assert not view_of(task, plain.model_copy(update=change), shown=(0, 1)).is_instant
    assert not view_of(make_task("ranking", "t"), PROJECTS["ranks"], shown=(0, 1, 2, 3)).is_instant


def test_questions_and_scales_are_those_of_the_project():
    assert view_of(make_task("pair", "t"), PROJECTS["axes"], shown=(0, 1)).questions == (
        Question("axis:helpful", "Helpful"),
        Question("axis:truthful", "Truthful"),
        Question("axis:harmless", "Harmless"),
        Question("choice", "Overall"),
    )
    scales = view_of(make_task("attributes", "t"), PROJECTS["ratings"], shown=(0,)).scales
    assert scales == (Scale("value:depth", "Depth", 0, 4), Scale("value:style", "Style", 1, 3))


def test_a_view_holds_nothing_that_tells_how_to_answer():
    secret = "not for raters"
    task = dataclasses.replace(
        make_task("pair", "t"), gold=PairAnswer("first"), source=secret, group=secret, why=secret, meta={"a": secret}
    )
    view = view_of(task, PROJECTS["pairs"], shown=(1, 0))
    assert secret not in repr(view)
    assert view == view_of(make_task("pair", "t"), PROJECTS["pairs"], shown=(1, 0))
