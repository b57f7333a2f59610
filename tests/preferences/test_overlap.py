"""The proof of no overlap sees every planted leak."""

from __future__ import annotations

import random

import pytest

from rewardsmith.core.errors import DataError
from rewardsmith.preferences.overlap import Overlap, measure, require_none
from rewardsmith.preferences.table import from_preferences

HELDOUT = ["How do I bake bread at home without an oven or a stove?", "Hi!", "Name three rivers of Asia."]
TRAIN = ["What is the boiling point of water on Mount Everest?", "Hello", "Name three lakes of Africa."]


def overlap_of(make_preference, train, heldout, groups=None, similarity: float | None = 0.8) -> Overlap:
    sides = []
    for name, prompts in (("t", train), ("h", heldout)):
        rows = [
            make_preference(prompt, "a", "b", group=(groups or {}).get(prompt, f"{name}{number}"))
            for number, prompt in enumerate(prompts)
        ]
        sides.append(from_preferences(rows))
    return measure(sides[0], sides[1], similarity=similarity)


def test_clean_sides_have_none(make_preference):
    clean = overlap_of(make_preference, TRAIN, HELDOUT)
    assert clean == Overlap(groups=0, prompts=0, near_duplicates=0)
    require_none(clean)


@pytest.mark.parametrize(
    ("leak", "expected"),
    [
        ("hi", Overlap(groups=0, prompts=1, near_duplicates=0)),
        ("how do I bake bread at home  without an oven or a stove", Overlap(groups=0, prompts=1, near_duplicates=1)),
        ("So how do I bake bread at home without an oven or a stove?", Overlap(groups=0, prompts=0, near_duplicates=1)),
    ],
)
def test_planted_leaks_are_seen(make_preference, leak, expected):
    found = overlap_of(make_preference, [*TRAIN, leak], HELDOUT)
    assert found == expected
    with pytest.raises(DataError, match="an overlap of 0"):
        require_none(found)


def test_a_group_on_both_sides_is_seen(make_preference):
    found = overlap_of(make_preference, TRAIN, HELDOUT, groups={"Hello": "same", "Hi!": "same"})
    assert found.groups == 1
    with pytest.raises(DataError):
        require_none(found)


def test_similar_prompts_are_not_looked_for_without_a_similarity(make_preference):
    leak = "So how do I bake bread at home without an oven or a stove?"
    assert overlap_of(make_preference, [leak], HELDOUT, similarity=None).near_duplicates is None


def test_empty_prompts_repeat_nothing(make_preference):
    assert overlap_of(make_preference, [""], [""]) == Overlap(groups=0, prompts=0, near_duplicates=0)


def test_counts_equal_those_of_all_pairs(make_preference):
    from rewardsmith.preferences.shingles import jaccard, shingles

    dice = random.Random(2)
    sides = [[" ".join(dice.choices("abcde", k=dice.randint(0, 9))) for _ in range(97)] for _ in range(2)]
    near = sum(any(jaccard(text, other) >= 0.5 for other in sides[1]) for text in sides[0] if shingles(text))
    assert near > 0
    assert overlap_of(make_preference, *sides, similarity=0.5).near_duplicates == near
