"""Statistics of a data card by hand."""

from __future__ import annotations

import numpy as np
import pytest

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.preferences.statistics import collect, summarise


def test_counts_by_hand():
    responses = tuple((assistant("x" * size),) for size in (5, 3, 1))
    rows = [
        Preference((user("hello"),), responses, (Pair(0, 1, margin=2.0), Pair(1, 2, 0.75)), "1", "a", "one"),
        Preference(
            (user("hi"), assistant("yes"), user("?")), responses[:2], (Pair(0, 1, 0.5, tie=True),), "2", "b", "two"
        ),
        Preference((), responses[1:], (Pair(1, 0),), "3", "b", "one", ("chosen", "abstain"), ("ann", "bob")),
    ]
    statistics = collect(rows)
    assert (statistics.preferences, statistics.groups, statistics.pairs) == (3, 2, 4)
    assert (statistics.ties, statistics.soft_labels) == (1, 1)
    assert statistics.sources == {"one": 2, "two": 1}
    assert statistics.responses == {2: 2, 3: 1}
    assert statistics.turns == {0: 1, 1: 1, 3: 1}
    assert statistics.prompt_chars.tolist() == [5.0, 6.0, 0.0]
    assert statistics.chosen_chars.tolist() == [5.0, 3.0, 1.0]
    assert statistics.rejected_chars.tolist() == [3.0, 1.0, 3.0]
    assert statistics.margins.tolist() == [2.0]
    # One vote and an abstention are no agreement.
    assert statistics.agreement is None


def test_agreement_of_votes_and_of_each_rater():
    sides = ((assistant("a"),), (assistant("b"),))
    votes = [("chosen", "chosen", "rejected"), ("chosen", "chosen", "chosen")]
    rows = [
        Preference((), sides, (Pair(0, 1),), str(n), str(n), "s", vote, ("ann", "bob", "cyd"))
        for n, vote in enumerate(votes)
    ]
    agreement = collect(rows).agreement
    assert agreement is not None
    assert agreement.raw.value == pytest.approx((1 / 3 + 1) / 2)
    assert agreement.raters["cyd"].value == pytest.approx(0.5)
    assert agreement.raters["ann"].value == pytest.approx(0.75)
    assert agreement.alpha.n == 2


def test_summaries():
    # Between sorted values 1, 2, 6: .1 of the way is at place .2, .9 of it at place 1.8.
    summary = summarise(np.array([1.0, 2.0, 6.0]))
    assert list(summary.values()) == pytest.approx([3, 3.0, 1.0, 1.2, 2.0, 5.2, 6.0])
    assert list(summary) == ["n", "mean", "min", "p10", "median", "p90", "max"]
    assert summarise(np.empty(0)) == dict.fromkeys(("mean", "min", "p10", "median", "p90", "max")) | {"n": 0}
