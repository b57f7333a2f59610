from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardsmith.annotate.coverage import coverage, prompt_features, suited_regions
from rewardsmith.annotate.tasks import Task
from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import DataError

_COOKING = ("bake bread with rye flour", "bake bread with wheat flour", "bake bread without flour")
_SUMS = ("add prime numbers", "add square numbers")


def _task(id: str, prompt: str) -> Task:
    return Task(id=id, kind="attributes", prompt=(user(prompt),), responses=((assistant("a"),),))


TASKS = [_task(f"t{n}", prompt) for n, prompt in enumerate((*_COOKING, *_SUMS))]


def test_votes_and_disputes_are_counted_by_region():
    features = np.array([[0.0, 1], [0, 1.1], [0, 1.2], [9, 0], [9.1, 0]])
    found = coverage(TASKS, features, n_votes={"t0": 3, "t1": 2}, disputed={"t1"}, regions=2)
    bread, sums = found.regions
    assert (bread.number, bread.n_tasks, bread.n_voted, bread.n_votes, bread.n_disputed) == (1, 3, 2, 5, 1)
    assert (sums.number, sums.n_tasks, sums.n_voted, sums.n_votes, sums.n_disputed) == (2, 2, 0, 0, 0)
    # One of two voted tasks is disputed: more than a fifth.
    assert (bread.state, sums.state) == ("disagreement", "nothing")
    assert (bread.share_voted, bread.example) == (2 / 3, "t1")
    assert found.of_task == {"t0": 1, "t1": 1, "t2": 1, "t3": 2, "t4": 2}
    # 3 ln(3/3 ÷ 3/5) = 1.53 for what stands in all three, ln(1/3 ÷ 1/5) = .51 for rye and wheat; ties by the alphabet.
    assert bread.words == ("bake", "bread", "flour", "rye")
    assert sums.words == ("add", "numbers", "prime", "square")


def test_the_words_of_prompts_tell_regions_apart_without_a_model():
    found = coverage(TASKS, prompt_features(TASKS), n_votes={"t3": 1}, disputed=(), regions=2)
    assert [
        {task for task, number in found.of_task.items() if number == region.number} for region in found.regions
    ] == [
        {"t0", "t1", "t2"},
        {"t3", "t4"},
    ]
    assert [region.state for region in found.regions] == ["nothing", "votes"]


def test_equal_prompts_are_one_region_and_few_tasks_few_regions():
    same = [_task(str(n), "the same") for n in range(5)]
    assert len(coverage(same, prompt_features(same), n_votes={}, disputed=(), regions=4).regions) == 1
    assert coverage([], prompt_features([]), n_votes={}, disputed=()).regions == ()
    # √(n/2), at most twelve.
    assert [suited_regions(n) for n in (1, 8, 50, 1000)] == [1, 2, 5, 12]
    with pytest.raises(DataError, match="do not fit"):
        coverage(TASKS, np.zeros((2, 1)), n_votes={}, disputed=())


@settings(max_examples=25)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=15), st.integers(1, 6))
def test_each_task_is_in_one_region_whatever_its_text(prompts: list[str], regions: int):
    tasks = [_task(str(n), prompt) for n, prompt in enumerate(prompts)]
    votes = {"0": 2}
    found = coverage(tasks, prompt_features(tasks), n_votes=votes, disputed=(), regions=regions)
    assert sum(region.n_tasks for region in found.regions) == len(tasks)
    assert sum(region.n_votes for region in found.regions) == 2
    assert set(found.of_task) == {task.id for task in tasks}
    assert [region.n_tasks for region in found.regions] == sorted((r.n_tasks for r in found.regions), reverse=True)
