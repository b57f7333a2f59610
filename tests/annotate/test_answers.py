"""Answers, tasks and projects: what fits what."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.annotate.answers import (
    Answer,
    AttributesAnswer,
    FirstErrorAnswer,
    PairAnswer,
    RankingAnswer,
    TaskKind,
    answer_from_dict,
    answer_to_dict,
    require_fits,
)
from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.tasks import Task, task_from_dict, task_to_dict
from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.core.settings import parse_settings

sides = st.sampled_from(["first", "second", "tie"])
answers = st.one_of(
    st.tuples(st.just("pair"), st.builds(PairAnswer, st.none() | sides, st.dictionaries(st.text(), sides))),
    st.tuples(st.just("ranking"), st.builds(RankingAnswer, st.lists(st.integers()).map(tuple))),
    st.tuples(st.just("attributes"), st.builds(AttributesAnswer, st.dictionaries(st.text(), st.integers()))),
    st.tuples(st.just("first_error"), st.builds(FirstErrorAnswer, st.none() | st.integers())),
)

ASKS: dict[TaskKind, dict[str, Any]] = {
    "pair": {"axes": ("helpful",)},
    "ranking": {},
    "attributes": {"attributes": {"depth": (1, 5)}},
    "first_error": {},
}
N_RESPONSES_STEPS: dict[TaskKind, tuple[int, int]] = {
    "pair": (2, 0),
    "ranking": (3, 0),
    "attributes": (1, 0),
    "first_error": (1, 2),
}


def task_of(kind: TaskKind, **more: Any) -> Task:
    n_responses, n_steps = N_RESPONSES_STEPS[kind]
    responses = tuple((assistant(str(i)),) for i in range(n_responses))
    return Task("t", kind, (user("?"),), responses, steps=tuple(map(str, range(n_steps))), **more)


@given(answers)
def test_answers_come_back_from_json(kind_and_answer: tuple[TaskKind, Answer]):
    kind, answer = kind_and_answer
    assert answer_from_dict(kind, answer_to_dict(answer)) == answer


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("pair", {}),
        ("pair", []),
        ("pair", {"choice": "third"}),
        ("pair", {"choice": ["first"]}),
        ("pair", {"choice": "first", "axes": ["tie"]}),
        ("pair", {"choice": "first", "axes": {"helpful": None}}),
        ("pair", {"choice": "first", "more": 1}),
        ("ranking", {"ranks": [True, 2]}),
        ("ranking", {"ranks": "12"}),
        ("attributes", {"values": {"depth": 1.5}}),
        ("first_error", {}),
        ("first_error", {"step": "1"}),
    ],
)
def test_what_is_no_answer_is_refused(kind: TaskKind, value: Any):
    with pytest.raises(DataError, match="not an answer"):
        answer_from_dict(kind, value)


@pytest.mark.parametrize(
    ("kind", "answer", "fits"),
    [
        ("pair", PairAnswer("first", {"helpful": "tie"}), True),
        ("pair", PairAnswer(None, {"helpful": "tie"}), False),
        ("pair", PairAnswer("first"), False),
        ("pair", PairAnswer("first", {"helpful": "tie", "kind": "tie"}), False),
        ("pair", RankingAnswer((1, 2)), False),
        ("ranking", RankingAnswer((1, 3, 1)), True),
        ("ranking", RankingAnswer((1, 2)), False),
        ("ranking", RankingAnswer((1, 2, 4)), False),
        ("ranking", RankingAnswer((2, 2, 3)), False),
        ("attributes", AttributesAnswer({"depth": 5}), True),
        ("attributes", AttributesAnswer({"depth": 6}), False),
        ("attributes", AttributesAnswer({}), False),
        ("first_error", FirstErrorAnswer(None), True),
        ("first_error", FirstErrorAnswer(1), True),
        ("first_error", FirstErrorAnswer(2), False),
        ("first_error", FirstErrorAnswer(-1), False),
    ],
)
def test_an_answer_says_what_was_asked_and_nothing_else(kind: TaskKind, answer: Answer, fits: bool):
    project = ProjectSettings(name="p", kind=kind, **ASKS[kind])
    if fits:
        require_fits(answer, task_of(kind), project)
    else:
        with pytest.raises(DataError, match="does not fit"):
            require_fits(answer, task_of(kind), project)


def test_a_project_may_ask_by_axis_only():
    project = ProjectSettings(name="p", kind="pair", axes=("helpful",), overall=False)
    require_fits(PairAnswer(None, {"helpful": "second"}), task_of("pair"), project)
    with pytest.raises(DataError, match="by axis only"):
        require_fits(PairAnswer("first", {"helpful": "second"}), task_of("pair"), project)


@pytest.mark.parametrize("kind", list(N_RESPONSES_STEPS))
def test_tasks_come_back_from_json(kind: TaskKind):
    gold = {"pair": PairAnswer("tie"), "first_error": FirstErrorAnswer(None)}.get(kind)
    task = task_of(kind, gold=gold, source="s", group="g", priority=0.5, why="w", meta={"a": {"b": [1]}})
    assert task_from_dict(task_to_dict(task)) == task


def test_what_is_no_task_is_refused():
    good = task_to_dict(task_of("pair"))
    for change in ({"id": ""}, {"id": "a\x00"}, {"responses": good["responses"][:1]}, {"kind": "poll"}, {"gold": {}}):
        with pytest.raises(DataError):
            task_from_dict({**good, **change})
    with pytest.raises(DataError, match="not a task"):
        task_from_dict({"id": "t"})


@pytest.mark.parametrize(
    "values",
    [
        {"name": "Big"},
        {"name": "../p"},
        {"kind": "ranking", "axes": ["helpful"]},
        {"kind": "attributes"},
        {"kind": "attributes", "attributes": {"depth": [3, 3]}},
        {"attributes": {"depth": [1, 3]}},
        {"overall": False},
        {"axes": ["helpful", "helpful"]},
        {"axes": ["overall"]},
        {"axes": ["<b>"]},
        {"gold_share": 0.5, "repeat_share": 0.5},
        {"overlap": 0},
        {"colour": "red"},
    ],
)
def test_a_project_that_makes_no_sense_is_refused(values: dict[str, Any]):
    with pytest.raises(SettingsError):
        parse_settings(ProjectSettings, {"name": "p", "kind": "pair", **values}, where="--set")
