"""A judge votes: through a real endpoint, and by a language model in this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.scoring.families.judge.endpoint import Endpoint, endpoint, fair, first_always
from tests.scoring.families.judge.readers import RuledReader

from rewardsmith.annotate.answers import AttributesAnswer, PairAnswer, RankingAnswer, require_fits
from rewardsmith.annotate.judge import Judge, can_judge, judge_tasks
from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.tasks import Task
from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import JudgeError, SettingsError
from rewardsmith.scoring.families.judge.client import ChatClient
from rewardsmith.scoring.families.judge.pairwise import PairwiseJudge
from rewardsmith.scoring.families.judge.pointwise import PointwiseJudge
from rewardsmith.scoring.families.judge.questioner import Questioner
from rewardsmith.scoring.families.judge.settings import RemoteBackend, parse_judge

PAIR = ProjectSettings(name="p", kind="pair")


@pytest.fixture
def served() -> Iterator[Endpoint]:
    with endpoint(fair) as running:
        yield running


def _judge(running: Endpoint, kind: str = "pairwise", **values: Any) -> Judge:
    settings = parse_judge(
        {"kind": kind, "backend": {"url": running.url, "model": "m"}, "parse_retries": 0, **values}, where="test"
    )
    chat = ChatClient(RemoteBackend(url=running.url, model="m", backoff_s=0.01, retries=0), max_reply_tokens=64)
    questioner = Questioner(settings, chat)
    return PairwiseJudge(questioner) if kind == "pairwise" else PointwiseJudge(questioner)


def _task(id: str, *answers: str, kind: Any = "pair", prompt: str = "q") -> Task:
    return Task(id=id, kind=kind, prompt=(user(prompt),), responses=tuple((assistant(each),) for each in answers))


TASKS = [_task("a", "good good", "good"), _task("b", "bad", "good"), _task("c", "bad", "worse")]


def test_pairs_are_judged_in_both_orders(served: Endpoint):
    found = list(judge_tasks(_judge(served), TASKS, project=PAIR, rater="r"))
    assert [each.vote.answer for each in found] == [PairAnswer("first"), PairAnswer("second"), PairAnswer("tie")]
    assert all(each.is_consistent for each in found)
    assert len(served.bodies) == 6
    assert "I counted." in found[0].vote.rationale
    assert [(each.vote.rater, each.vote.shown) for each in found] == [("r", (0, 1))] * 3


def test_a_judge_that_goes_by_the_place_says_tie_and_is_inconsistent():
    with endpoint(first_always) as running:
        (found,) = judge_tasks(_judge(running), TASKS[:1], project=PAIR, rater="r")
    assert (found.vote.answer, found.is_consistent) == (PairAnswer("tie"), False)
    assert found.vote.rationale.startswith("The two orders gave different answers.")


def test_asked_again_it_is_the_same_vote_and_another_judge_s_is_another(served: Endpoint):
    def ids(**values: Any) -> list[str]:
        judged = judge_tasks(_judge(served, **values), TASKS, project=PAIR, rater="r")
        return [each.vote.id for each in judged]

    assert ids() == ids()
    assert len(set(ids())) == 3
    assert set(ids()).isdisjoint(ids(rubric="Count."))


def test_each_axis_is_a_question_of_its_own(served: Endpoint):
    project = ProjectSettings(name="p", kind="pair", axes=("truthful", "harmless"))
    (found,) = judge_tasks(_judge(served), TASKS[:1], project=project, rater="r")
    answer = found.vote.answer
    assert answer == PairAnswer("first", {"truthful": "first", "harmless": "first"})
    require_fits(answer, TASKS[0], project)
    asked = [body["messages"][0]["content"] for body in served.bodies]
    assert [sum(f"how {axis} the answers are" in text for text in asked) for axis in project.axes] == [2, 2]
    assert len(asked) == 6
    only = ProjectSettings(name="p", kind="pair", axes=("truthful",), overall=False)
    (found,) = judge_tasks(_judge(served), TASKS[1:2], project=only, rater="r")
    assert found.vote.answer == PairAnswer(None, {"truthful": "second"})


@pytest.mark.parametrize("kind", ["pairwise", "pointwise"])
def test_rankings_share_ranks_and_tasks_of_one_prompt_are_kept_apart(served: Endpoint, kind: str):
    tasks = [
        _task("a", "good", "bad", "good good", "worse", kind="ranking"),
        _task("b", "bad", "good good good", kind="ranking"),
    ]
    project = ProjectSettings(name="r", kind="ranking")
    found = list(judge_tasks(_judge(served, kind), tasks, project=project, rater="r"))
    assert [each.vote.answer for each in found] == [RankingAnswer((2, 3, 1, 3)), RankingAnswer((2, 1))]


def test_a_pointwise_judge_compares_by_its_scores(served: Endpoint):
    found = list(judge_tasks(_judge(served, "pointwise"), TASKS, project=PAIR, rater="r"))
    assert [each.vote.answer for each in found] == [PairAnswer("first"), PairAnswer("second"), PairAnswer("tie")]
    assert {each.is_consistent for each in found} == {None}


def test_attributes_are_rated_on_their_own_scales(served: Endpoint):
    project = ProjectSettings(name="a", kind="attributes", attributes={"helpful": (1, 3), "true": (1, 9)})
    tasks = [_task("a", "good good good", kind="attributes"), _task("b", "bad", kind="attributes")]
    judge = _judge(served, "pointwise", no_verdict="nan")
    found = list(judge_tasks(judge, tasks, project=project, rater="r"))
    # The judge writes 1 + the number of `good`: 4 is not on the scale of helpful, and so no verdict there.
    assert found[0].vote.answer is None
    assert found[1].vote.answer == AttributesAnswer({"helpful": 1, "true": 1})
    asked = [body["messages"][0]["content"] for body in served.bodies]
    assert [sum(f"the answer's {name}" in text for text in asked) for name in project.attributes] == [2, 2]


def test_without_a_verdict_the_task_is_skipped_where_the_judge_may_and_else_it_stops():
    with endpoint(lambda _: "no idea") as running:
        (found,) = judge_tasks(_judge(running, no_verdict="nan"), TASKS[:1], project=PAIR, rater="r")
        assert found.vote.answer is None
        with pytest.raises(JudgeError):
            list(judge_tasks(_judge(running, "pointwise"), TASKS[:1], project=PAIR, rater="r"))


def test_log_odds_of_a_model_in_this_process():
    settings = parse_judge({"kind": "pairwise", "backend": {"local": "ruled"}}, where="test")
    # By one nat for each `good`; a leaning of half a nat to the first place cancels out.
    judge = PairwiseJudge(Questioner(settings, RuledReader(lean=0.5)))
    found = list(judge_tasks(judge, TASKS, project=PAIR, rater="r"))
    assert [each.vote.answer for each in found] == [PairAnswer("first"), PairAnswer("second"), PairAnswer("tie")]
    assert [each.is_consistent for each in found] == [True, True, False]


def test_what_it_cannot_judge_is_said(served: Endpoint):
    steps = ProjectSettings(name="s", kind="first_error")
    rated = ProjectSettings(name="a", kind="attributes", attributes={"x": (0, 1)})
    for project, said in ((steps, "first_error"), (rated, "pointwise judge")):
        with pytest.raises(SettingsError, match=said):
            list(judge_tasks(_judge(served), [], project=project, rater="r"))
    turns = Task(id="t", kind="pair", prompt=(user("q"),), responses=((assistant("a"),), (assistant("b"), user("c"))))
    assert can_judge(TASKS[0])
    assert not can_judge(turns)
