from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.annotate.asking import AskingSettings, TaskScores, what_to_ask
from rewardsmith.annotate.tasks import Task
from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import DataError, SettingsError


def _tasks(counts: list[int], groups: list[str] | None = None) -> list[Task]:
    kinds = {1: "attributes", 2: "pair"}
    return [
        Task(
            id=f"t{n}",
            kind=kinds.get(count, "ranking"),  # pyright: ignore[reportArgumentType]
            prompt=(user(f"q{n}"),),
            responses=tuple((assistant(f"a{place}"),) for place in range(count)),
            group=groups[n] if groups else "",
        )
        for n, count in enumerate(counts)
    ]


def _scores(rewards: list[list[float]], counts: list[int], features: np.ndarray | None = None) -> TaskScores:
    return TaskScores(np.array(rewards, dtype=np.float32), np.array(counts), features)


def _order(tasks: list[Task], scores: TaskScores, *, by: str, answered: tuple[str, ...] = (), **values: object):
    settings = AskingSettings.model_validate({"by": by, **values})
    asked = what_to_ask(tasks, scores, settings=settings, answered=answered)
    priorities = [priority for priority, _ in asked.values()]
    assert priorities == sorted(priorities, reverse=True)
    assert len(set(priorities)) == len(priorities)
    return asked


def test_the_closest_pair_comes_first_and_says_why():
    # Margins 3, −.5, 1.
    tasks, scores = _tasks([2, 2, 2]), _scores([[3, 0, 0, 0.5, 1, 0]], [2, 2, 2])
    asked = _order(tasks, scores, by="margin")
    assert list(asked) == ["t1", "t2", "t0"]
    assert asked["t1"][1] == "the answers' rewards are closer (0.5 apart) than on 100% of the open tasks"
    # Several models: their mean margin counts. 3 and −3 are .0 together.
    both = _scores([[3, 0, 0, 0.5, 1, 0], [-3, 0, 0, 0.5, 1, 0]], [2, 2, 2])
    assert next(iter(_order(tasks, both, by="margin"))) == "t0"


def test_models_that_contradict_each_other_come_first_whatever_their_scales():
    # Margins of the quiet member 1, 1, −1, of the one ten times as loud 10, 10, 10: they differ on the third alone.
    tasks, scores = _tasks([2, 2, 2]), _scores([[1, 0, 1, 0, 0, 1], [10, 0, 10, 0, 10, 0]], [2, 2, 2])
    for by in ("disagreement", "information_gain"):
        assert next(iter(_order(tasks, scores, by=by))) == "t2"


def test_information_is_gained_where_sure_models_contradict_not_where_all_are_unsure():
    # σ(6) ≈ 1 against σ(−6) ≈ 0 tells ln 2; .5 against .5 tells nothing.
    tasks, scores = _tasks([2, 2]), _scores([[0, 0, 6, 0], [0, 0, 0, 6]], [2, 2])
    asked = _order(tasks, scores, by="information_gain")
    assert list(asked) == ["t1", "t0"]
    gain = np.log(2) - -(0.9975274 * np.log(0.9975274) + 0.0024726 * np.log(0.0024726))
    assert f"({gain:.2g} nats)" in asked["t1"][1]


def test_a_ranking_counts_as_its_closest_two_and_a_single_response_as_its_distance_to_the_mean():
    tasks = _tasks([3, 2])
    # Margins of the ranking 5, 5.1, .1; of the pair 2.
    asked = _order(tasks, _scores([[5.1, 0.1, 0, 2, 0]], [3, 2]), by="margin")
    assert list(asked) == ["t0", "t1"]
    # Both members have mean 0; they contradict each other on the third response.
    singles = _scores([[2, -1, -1], [2, -3, 1]], [1, 1, 1])
    assert next(iter(_order(_tasks([1, 1, 1]), singles, by="disagreement"))) == "t2"


def test_the_farthest_from_what_was_answered_comes_first():
    features = np.array([[0.0, 0], [0, 1], [5, 5], [0, 2]])
    scores = _scores([[0.0] * 8], [2] * 4, features)
    asked = _order(_tasks([2] * 4), scores, by="diversity", answered=("t0",), closeness=1)
    assert list(asked) == ["t2", "t3", "t1"]
    assert asked["t2"][1].startswith("farther from everything voted on than 100%")
    # Where nothing was answered: the nearest to the mean (1.25, 2), then what is farthest from it.
    start = _order(_tasks([2] * 4), scores, by="diversity", closeness=1)
    assert list(start)[:2] == ["t3", "t2"]
    assert start["t3"][1].startswith("stands for prompts that nobody voted on yet")


def test_a_batch_holds_neither_twins_nor_one_prompt_twice():
    # t0 and t1 are closest, and twins; t2 is of the group of t0.
    features = np.array([[1.0, 0], [1, 0], [0, 1], [-1, 1]])
    scores = _scores([[0, 0, 0.1, 0, 0.2, 0, 3, 0]], [2] * 4, features)
    tasks = _tasks([2] * 4, groups=["g", "h", "g", "i"])
    asked = _order(tasks, scores, by="margin", batch=2)
    assert list(asked) == ["t0", "t3", "t1", "t2"]
    assert [priority > 1 for priority, _ in asked.values()] == [True, True, False, False]


def test_mixed_takes_the_parts_that_the_scores_allow():
    tasks, one = _tasks([2, 2, 2]), _scores([[3, 0, 0, 0.5, 1, 0]], [2, 2, 2])
    assert list(_order(tasks, one, by="mixed")) == list(_order(tasks, one, by="margin"))
    several = _scores([[3, 0, 2, 0, 1, 0], [3, 0, 2, 0, -1, 0]], [2, 2, 2], np.eye(3))
    asked = _order(tasks, several, by="mixed", weights={"disagreement": 1.0})
    assert next(iter(asked)) == "t2"
    assert asked["t2"][1].startswith("the models disagree more than on 100%")


@pytest.mark.parametrize(
    ("by", "rewards", "counts", "wanted"),
    [
        ("disagreement", [[0.0, 1]], [2], "at least two models"),
        ("information_gain", [[0.0, 1]], [2], "at least two models"),
        ("margin", [[0.0]], [1], "two responses"),
        ("margin", np.zeros((0, 2)).tolist(), [2], "a model"),
        ("diversity", [[0.0, 1]], [2], "features"),
        ("mixed", [[0.0]], [1], "features"),
    ],
)
def test_what_the_scores_lack_is_said(by: str, rewards: list[list[float]], counts: list[int], wanted: str):
    scores = TaskScores(np.array(rewards, dtype=np.float32).reshape(-1, sum(counts)), np.array(counts))
    with pytest.raises(SettingsError, match=wanted):
        _order(_tasks(counts), scores, by=by)


def test_scores_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="do not fit the tasks"):
        _scores([[1.0, 2.0, 3.0]], [2])
    with pytest.raises(DataError, match="no finite number"):
        _scores([[1.0, float("nan")]], [2])
    with pytest.raises(DataError, match="2 tasks"):
        _order(_tasks([2, 2]), _scores([[1.0, 2.0]], [2]), by="margin")


def test_nothing_is_asked_where_all_is_answered():
    assert _order(_tasks([2]), _scores([[0, 1]], [2]), by="margin", answered=("t0",)) == {}


@given(
    st.lists(st.integers(2, 4), min_size=1, max_size=12),
    st.sampled_from(["mixed", "disagreement", "margin", "information_gain", "diversity", "random"]),
    st.integers(0, 2**32 - 1),
    st.integers(1, 20),
)
def test_every_open_task_is_asked_once_and_sides_do_not_matter(counts: list[int], by: str, seed: int, batch: int):
    draw = np.random.default_rng(seed)
    rewards, features = draw.normal(size=(3, sum(counts))), draw.normal(size=(len(counts), 4))
    tasks, answered = _tasks(counts), ("t0",) if len(counts) > 1 else ()
    asked = _order(tasks, TaskScores(rewards, np.array(counts), features), by=by, answered=answered, batch=batch)
    assert set(asked) == {task.id for task in tasks} - set(answered)
    assert all(why for _, why in asked.values())
    ends = np.cumsum(counts)[:-1]
    turned = np.concatenate([part[:, ::-1] for part in np.split(rewards, ends, axis=1)], axis=1)
    again = _order(tasks, TaskScores(turned, np.array(counts), features), by=by, answered=answered, batch=batch)
    assert list(again) == list(asked)
