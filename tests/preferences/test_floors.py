"""Floors: hand values, no leak between folds, no use of the order of the sides."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest

from rewardsmith.core.conversation import assistant, from_dicts, user
from rewardsmith.core.errors import DataError
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.numerics.intervals import paired_difference
from rewardsmith.preferences.floors import (
    bag_of_words,
    compared_texts,
    fit_bag_of_words,
    judge,
    longer_wins,
    shorter_wins,
)


def compare(chosen: str, rejected: str, *, group: str, tie: bool = False) -> Preference:
    pair = Pair(0, 1, 0.5 if tie else 1.0, tie=tie)
    return Preference((user("?"),), ((assistant(chosen),), (assistant(rejected),)), (pair,), group, group, "test")


def politeness(n: int, *, seed: int = 0) -> list[Preference]:
    """The polite response is preferred, both have the same length."""
    rng = np.random.default_rng(seed)
    fillers = ["alpha", "gamma", "delta", "omega", "sigma"]
    rows = []
    for number in range(n):
        first, second = (" ".join(rng.choice(fillers, 6)) for _ in range(2))
        rows.append(compare(f"{first} please", f"{second} idiots", group=f"g{number}"))
    return rows


def test_longer_and_shorter_by_hand():
    rows = [
        compare("long answer", "short", group="a"),
        compare("no", "long answer", group="b"),
        compare("same", "size", group="c"),
        compare("tie is left out, however long", "x", group="d", tie=True),
    ]
    longer, shorter = longer_wins(rows), shorter_wins(rows)
    assert longer.credits.tolist() == [1.0, 0.0, 0.5]
    assert shorter.credits.tolist() == [0.0, 1.0, 0.5]
    assert (longer.estimate.value, longer.estimate.n, longer.estimate.groups) == (0.5, 3, 3)
    assert paired_difference(longer.credits, shorter.credits, ["a", "b", "c"]).value == 0.0


def test_all_pairs_of_a_prompt_count():
    responses = tuple((assistant("x" * size),) for size in (3, 2, 1))
    ranked = Preference((user("?"),), responses, (Pair(0, 1), Pair(0, 2), Pair(2, 1)), "1", "a", "test")
    floor = longer_wins([ranked])
    assert floor.credits.tolist() == [1.0, 1.0, 0.0]
    assert (floor.estimate.n, floor.estimate.groups) == (3, 1)
    assert math.isnan(floor.estimate.low)


def test_labels_of_a_half_have_no_right_answer():
    undecided = Preference((), ((assistant("ab"),), (assistant("a"),)), (Pair(0, 1, 0.5),), "1", "a", "test")
    assert compared_texts([undecided]).groups == ()


def test_words_that_matter_are_learnt():
    floor = bag_of_words(politeness(60))
    assert floor.estimate.value == 1.0
    assert floor.estimate.low > 0.9
    assert longer_wins(politeness(60)).estimate.value == 0.5


def test_turned_labels_are_learnt_the_other_way():
    model = fit_bag_of_words(politeness(60))
    please, idiots = model.score_texts(["alpha please", "alpha idiots"])
    assert please > idiots
    turned = [compare("alpha idiots", "alpha please", group=str(number)) for number in range(20)]
    assert judge("words", model.score_texts, compared_texts(turned)).estimate.value == 0.0


def test_a_group_is_never_on_both_sides():
    # Each group has a word of its own that gives its label away; only a leak could use it.
    rng = np.random.default_rng(0)
    rows = []
    for number in range(120):
        pair = [f"secret{number} alpha", "alpha"]
        chosen = int(rng.integers(2))
        rows += [compare(pair[chosen], pair[1 - chosen], group=f"g{number}") for _ in range(2)]
    value = bag_of_words(rows).estimate.value
    assert value == pytest.approx(0.5, abs=0.01)


def test_words_without_meaning_are_at_chance():
    rng = np.random.default_rng(3)
    rows = [compare(*(" ".join(rng.choice(list("abcdefgh"), 9)) for _ in range(2)), group=str(n)) for n in range(400)]
    estimate = bag_of_words(rows).estimate
    assert 0.42 < estimate.value < 0.58


def test_the_seed_decides_the_folds():
    rows = politeness(20) + [compare("alpha", "gamma", group=f"x{n}") for n in range(20)]
    np.testing.assert_array_equal(bag_of_words(rows, seed=1).credits, bag_of_words(rows, seed=1).credits)


def test_degenerate_sets():
    assert bag_of_words([]).estimate.n == 0
    assert bag_of_words([compare("a", "b", group="only")]).credits.tolist() == [0.5]
    assert bag_of_words([compare("!", "?", group=str(n)) for n in range(4)]).estimate.value == 0.5
    assert fit_bag_of_words(politeness(3)).score_texts([]).shape == (0,)
    with pytest.raises(DataError, match="at least one pair"):
        fit_bag_of_words([compare("a", "b", group="a", tie=True)])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "longer", "words"), [("harmless", 0.443, 0.619), ("helpful", 0.593, 0.590)])
def test_floors_of_hh_rlhf(shared_data: Path, name: str, longer: float, words: float):
    rows = []
    with gzip.open(shared_data / f"hh-rlhf-{name}-test-pairs.jsonl.gz", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            prompt = (user(row["prompt"]),) if isinstance(row["prompt"], str) else from_dicts(row["prompt"])
            responses = ((assistant(row["chosen"]),), (assistant(row["rejected"]),))
            rows.append(Preference(prompt, responses, (Pair(0, 1),), str(row["id"]), row["prompt_id"], "hh"))
    assert longer_wins(rows).estimate.value == pytest.approx(longer, abs=0.005)
    assert bag_of_words(rows).estimate.value == pytest.approx(words, abs=0.02)
