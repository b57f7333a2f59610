"""Lots that are fair, and choices that follow from counts."""

from __future__ import annotations

import itertools
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.annotate.assignment import Candidate, choose_order, choose_sort, choose_task, draw_lot

lots = st.floats(0, 1, exclude_max=True)


def test_the_task_of_highest_priority_and_fewest_votes_is_chosen():
    tasks = [Candidate("a", 0.0, 0), Candidate("b", 1.0, 2), Candidate("c", 1.0, 1), Candidate("d", 1.0, 1)]
    assert choose_task(tasks, 0.0) == Candidate("c", 1.0, 1)
    assert choose_task(tasks, 0.49) == Candidate("c", 1.0, 1)
    assert choose_task(tasks, 0.5) == Candidate("d", 1.0, 1)
    assert choose_task([], 0.3) is None


def test_sorts_have_their_shares():
    # Of the middles of ten equal parts of [0, 1) one is a test, two are repeats.
    sorts = [choose_sort((i + 0.5) / 10, gold_share=0.1, repeat_share=0.2) for i in range(10)]
    assert Counter(sorts) == {"gold": 1, "repeat": 2, "new": 7}
    assert choose_sort(0.0, gold_share=0.0, repeat_share=0.0) == "new"


def test_every_order_is_equally_likely():
    # The middles of 24 equal parts of [0, 1) are the 24 orders of four, each once.
    orders = [choose_order(4, (i + 0.5) / 24) for i in range(24)]
    assert sorted(orders) == list(itertools.permutations(range(4)))
    assert choose_order(2, 0.49) == (0, 1)
    assert choose_order(2, 0.5) == (1, 0)


@given(st.integers(0, 40), lots)
def test_an_order_has_every_response_once(n: int, lot: float):
    assert sorted(choose_order(n, lot)) == list(range(n))


def test_lots_follow_from_what_they_are_about():
    assert draw_lot(1, "a", 2) == draw_lot(1, "a", 2)
    assert draw_lot(1, "ab") != draw_lot(1, "a", "b")
    drawn = [draw_lot(0, i) for i in range(2000)]
    assert all(0 <= lot < 1 for lot in drawn)
    # The mean of 2,000 uniform numbers has standard error .0065.
    assert abs(sum(drawn) / 2000 - 0.5) < 0.026
    assert len({choose_order(3, lot) for lot in drawn}) == 6
