"""One label of several votes: by hand, against the truth of simulated raters, and what cannot be asked."""

from __future__ import annotations

import math

import numpy as np
import pytest
from bench.simulated_raters import Habits, simulate
from tests.annotate.quality.made import pair_votes, task, vote

from rewardsmith.annotate.answers import AttributesAnswer
from rewardsmith.annotate.quality.aggregate import METHODS, aggregate
from rewardsmith.annotate.quality.items import Item, counted, items_of
from rewardsmith.core.errors import DataError


def items(*labels: str) -> list[Item]:
    """An item a text such as `1 2 t`, raters r0, r1, …"""
    tasks = {f"t{place}": task(f"t{place}") for place in range(len(labels))}
    return items_of([each for place, text in enumerate(labels) for each in pair_votes(text, f"t{place}")], tasks)


def test_the_majority_is_the_share_of_votes():
    made = aggregate(items("1 1 2", "1 t", "t t 1", "2"))

    assert [label.prob_first for label in made.labels] == pytest.approx([2 / 3, 0.75, 2 / 3, 0.0])
    assert [label.best for label in made.labels] == ["first", None, "tie", "second"]
    assert made.weights == {}


@pytest.mark.parametrize("method", ["dawid-skene", "bradley-terry"])
def test_both_models_hear_the_skilled_better_than_the_majority_does(method: str):
    raters = {"good": Habits(skill=12.0, ties=0.0), "fair": Habits(skill=6.0, ties=0.0)}
    raters |= {f"coin{number}": Habits(skill=0.2, ties=0.0) for number in range(3)}
    project = simulate(raters, n_tasks=400, seed=1)
    seen = items_of(counted(project.votes), project.tasks)

    def right(method: str) -> float:
        labels = aggregate(seen, method).labels
        return float(
            np.mean([(each.prob_first > 0.5) == (project.better[each.item.task] == "first") for each in labels])
        )

    weights = aggregate(seen, method).weights

    assert right(method) > right("majority") + 0.08
    assert set(sorted(weights, key=lambda rater: -weights[rater])[:2]) == {"good", "fair"}


@pytest.mark.parametrize("method", METHODS)
def test_turning_a_pair_round_turns_its_label_round(method: str):
    texts = ["1 1 2", "2 2 1", "1 t 1", "2 1 1", "1 1 1"]
    turned = [text.translate(str.maketrans("12", "21")) for text in texts]

    one, other = aggregate(items(*texts), method), aggregate(items(*turned), method)

    assert [label.prob_first for label in one.labels] == pytest.approx(
        [1 - label.prob_first for label in other.labels], abs=1e-4
    )


@pytest.mark.parametrize("method", METHODS)
def test_more_votes_for_a_side_are_a_surer_label(method: str):
    made = aggregate(items("1 1 1 1", "1 1 1 2", "1 1 2 2", "1 2 2 2"), method)
    shares = [label.prob_first for label in made.labels]

    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[1] > 0.5 > shares[3]


def test_numbers_and_steps_know_the_majority_only():
    rated = {"a": task("a", kind="attributes", responses=("x",))}
    numbers = items_of([vote("a", "r", AttributesAnswer({"clear": 3}))], rated)
    solved = {"a": task("a", kind="first_error", responses=("x",), steps=("x",))}
    steps = items_of([vote("a", "r", 0)], solved)

    assert aggregate(numbers).labels[0].best == "3"
    assert math.isnan(aggregate(steps).labels[0].prob_first)
    with pytest.raises(DataError, match="an attribute"):
        aggregate(numbers, "dawid-skene")
    with pytest.raises(DataError, match="a step"):
        aggregate(steps, "bradley-terry")


def test_an_unknown_method_names_the_known_ones():
    with pytest.raises(DataError, match="majority, dawid-skene, bradley-terry"):
        aggregate([], "mean")  # type: ignore[arg-type]
    assert aggregate([], "dawid-skene").labels == ()
