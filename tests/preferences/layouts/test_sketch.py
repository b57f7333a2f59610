"""The bounded choice of responses."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.conversation import assistant, response_text
from rewardsmith.core.digest import digest_text
from rewardsmith.preferences.layouts.sketch import Sketch, balance

TEXTS = st.lists(st.text("abc", min_size=1, max_size=3), unique=True, max_size=12)


def sketch(texts: list[str], limit: int) -> Sketch:
    made = Sketch(limit)
    for text in texts:
        made.add((assistant(text),))
    return made


def texts_of(made: Sketch) -> list[str]:
    return [response_text(kept.turns) for kept in made.responses()]


@given(TEXTS, st.integers(1, 6))
def test_the_smallest_digests_stay_in_the_order_of_appearance(texts: list[str], limit: int) -> None:
    made = sketch(texts, limit)
    smallest = sorted(texts, key=digest_text)[:limit]
    assert texts_of(made) == [text for text in texts if text in smallest]
    assert made.left_out.get("max_responses", 0) == max(0, len(texts) - limit)


@given(TEXTS, st.integers(2, 6), st.integers(1, 6))
def test_shrinking_is_the_same_as_a_smaller_limit(texts: list[str], limit: int, smaller: int) -> None:
    made = sketch(texts, limit)
    made.shrink(min(limit, smaller))
    assert texts_of(made) == texts_of(sketch(texts, min(limit, smaller)))


def test_equal_texts_add_their_numbers() -> None:
    made = Sketch(2)
    for value in (1.0, 5.0):
        made.add((assistant("a"),), value)
    assert [kept.value for kept in made.responses()] == [3.0]
    assert made.left_out == {"repeated": 1}


@given(TEXTS, TEXTS, st.integers(2, 8))
def test_balance_fills_the_limit_and_keeps_both_sides(first: list[str], second: list[str], limit: int) -> None:
    good, bad = sketch(first, limit), sketch(second, limit)
    both = good.texts() & bad.texts()
    had = len(good) - len(both), len(bad) - len(both)
    balance(good, bad, limit)
    assert not good.texts() & bad.texts()
    assert len(good) + len(bad) == min(limit, sum(had))
    assert (len(good) > 0, len(bad) > 0) == (had[0] > 0, had[1] > 0)
