"""The search finds exactly what a comparison of all with all finds."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from rewardsmith.preferences.near_duplicates import build_index, search
from rewardsmith.preferences.shingles import jaccard, shingles

VOCABULARY = [f"word{number}" for number in range(400)]


def in_batches(texts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (texts[start : start + size] for start in range(0, len(texts), size))


def found(heldout: Sequence[str], train: Sequence[str], similarity: float, size: int = 7) -> dict[int, float]:
    index = build_index(lambda: in_batches(heldout, size), similarity)
    hits = search(index, in_batches(train, size), indexed_text=lambda place: heldout[place])
    return {place: value for place, _, value in hits}


def by_brute_force(heldout: Sequence[str], train: Sequence[str], similarity: float) -> set[int]:
    return {
        i for i, text in enumerate(train) if shingles(text) and any(jaccard(text, h) >= similarity for h in heldout)
    }


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from("abcd"), max_size=12).map(" ".join), max_size=12),
    st.lists(st.lists(st.sampled_from("abcd"), max_size=12).map(" ".join), max_size=12),
    st.sampled_from([0.3, 0.5, 0.8, 1.0]),
)
def test_same_as_comparing_all_with_all(heldout, train, similarity):
    assert set(found(heldout, train, similarity)) == by_brute_force(heldout, train, similarity)


def test_planted_edits_are_found_and_unrelated_prompts_are_not():
    dice = random.Random(5)
    heldout = [" ".join(dice.choices(VOCABULARY, k=60)) for _ in range(101)]
    # One word of 60 changed in the middle: 55 of 61 shingles stay, .902. Four changed, apart: 46 of 70, .657.
    edited = [" ".join(["new" if i == 30 else w for i, w in enumerate(text.split())]) for text in heldout]
    rewritten = [" ".join(["new" if i % 15 == 7 else w for i, w in enumerate(text.split())]) for text in heldout]
    unrelated = [" ".join(dice.choices(VOCABULARY, k=60)) for _ in range(307)]
    hits = found(heldout, [*edited, *rewritten, *unrelated], 0.8, size=64)
    assert sorted(hits) == list(range(101))
    assert all(value == 55 / 61 for value in hits.values())


def test_the_bound_itself_counts():
    # 10 words give 8 shingles; of 12 words with 2 more at the end 10: 8/10.
    text = " ".join("abcdefghij")
    assert found([text], [text + " k l"], 0.8) == {0: 0.8}
    assert found([text], [text + " k l m"], 0.8) == {}


def test_nothing_indexed_finds_nothing():
    assert found([], ["a b c d"], 0.5) == {}
    assert found(["hi"], ["hi", "a b c"], 0.5) == {}
