from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.annotate.answers import AttributesAnswer, FirstErrorAnswer, PairAnswer, RankingAnswer
from rewardsmith.annotate.forms import read_answer
from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.tasks import Task
from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import DataError

ONE = (assistant("x"),)
PAIR = ProjectSettings(name="p", kind="pair", axes=("helpful", "harmless"))
RANKING = ProjectSettings(name="p", kind="ranking")
RATING = ProjectSettings(name="p", kind="attributes", attributes={"depth": (-2, 2), "style": (0, 4)})
STEPS = ProjectSettings(name="p", kind="first_error")


def task(kind: Any, n: int = 1) -> Task:
    return Task("t", kind, (user("q"),), (ONE,) * n, steps=("a", "b", "c") if kind == "first_error" else ())


def read(project: ProjectSettings, fields: dict[str, str], *, shown: tuple[int, ...] = (0,)) -> Any:
    return read_answer(fields, task(project.kind, len(shown)), project=project, shown=shown)


# The first place shows the second response.
@pytest.mark.parametrize(("place", "side"), [("1", "second"), ("2", "first"), ("tie", "tie")])
def test_a_side_is_of_the_task_and_not_of_the_screen(place: str, side: Any):
    fields = {"choice": place, "axis:helpful": "1", "axis:harmless": "2"}
    answer = read(PAIR, fields, shown=(1, 0))
    assert answer == PairAnswer(side, {"helpful": "second", "harmless": "first"})
    assert read(PAIR, {**fields, "choice": "1"}, shown=(0, 1)).choice == "first"


def test_a_project_that_asks_by_axis_only_reads_no_overall_vote():
    project = PAIR.model_copy(update={"overall": False})
    answer = read(project, {"choice": "1", "axis:helpful": "tie", "axis:harmless": "2"}, shown=(0, 1))
    assert answer == PairAnswer(None, {"helpful": "tie", "harmless": "second"})


def test_ranks_are_of_the_responses_and_not_of_the_places():
    # Place 1 shows response 2, place 2 response 0, place 3 response 1.
    fields = {"rank:1": "1", "rank:2": "3", "rank:3": "2"}
    assert read(RANKING, fields, shown=(2, 0, 1)) == RankingAnswer((3, 2, 1))


def test_ranks_that_were_left_out_close_up():
    fields = {"rank:1": "2", "rank:2": "4", "rank:3": "4"}
    assert read(RANKING, fields, shown=(0, 1, 2)) == RankingAnswer((1, 2, 2))


@given(st.permutations(range(5)), st.lists(st.integers(1, 5), min_size=5, max_size=5))
def test_the_order_on_the_screen_changes_no_ranking(shown: list[int], ranks: list[int]):
    fields = {f"rank:{place}": str(ranks[response]) for place, response in enumerate(shown, 1)}
    straight = {f"rank:{place}": str(rank) for place, rank in enumerate(ranks, 1)}
    assert read(RANKING, fields, shown=tuple(shown)) == read(RANKING, straight, shown=(0, 1, 2, 3, 4))


def test_ratings():
    assert read(RATING, {"value:depth": "-2", "value:style": "4"}) == AttributesAnswer({"depth": -2, "style": 4})


@pytest.mark.parametrize(("said", "step"), [("1", 0), ("3", 2), ("none", None)])
def test_steps_are_counted_from_one_on_the_page_and_from_zero_in_the_answer(said: str, step: int | None):
    assert read(STEPS, {"step": said}) == FirstErrorAnswer(step)


@pytest.mark.parametrize("project", [PAIR, RANKING, RATING, STEPS])
def test_a_skip_needs_no_more(project: ProjectSettings):
    assert read(project, {"skip": "1", "choice": "1"}, shown=(0, 1) if project in (PAIR, RANKING) else (0,)) is None


@pytest.mark.parametrize(
    ("project", "fields", "where"),
    [
        (PAIR, {"choice": "1", "axis:helpful": "1"}, "axis:harmless"),
        (PAIR, {"choice": "3", "axis:helpful": "1", "axis:harmless": "1"}, "choice"),
        (PAIR, {"choice": "first", "axis:helpful": "1", "axis:harmless": "1"}, "choice"),
        (RANKING, {"rank:1": "1"}, "rank:2"),
        (RANKING, {"rank:1": "1", "rank:2": "1.5"}, "rank:2"),
        (RATING, {"value:depth": "1", "value:style": "٣"}, "value:style"),
        (RATING, {"value:depth": "1", "value:style": "9" * 5000}, "value:style"),
        (STEPS, {}, "step"),
        (STEPS, {"step": "--1"}, "step"),
    ],
)
def test_what_is_not_whole_is_refused_with_its_place(project: ProjectSettings, fields: dict[str, str], where: str):
    with pytest.raises(DataError) as caught:
        read(project, fields, shown=(0, 1) if project in (PAIR, RANKING) else (0,))
    assert caught.value.where == where
