"""Pairs for DPO."""

from __future__ import annotations

import numpy as np
import pytest

from rewardsmith.core.conversation import assistant, to_dicts, user
from rewardsmith.core.errors import DataError
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.optimise.pairs import preference_pairs, sample_pairs
from rewardsmith.optimise.samples import Sample, SampleGroup


def group(*texts: str, cut: str = "") -> SampleGroup:
    return SampleGroup((user("p"),), "g", tuple(Sample(text, is_finished=text != cut) for text in texts))


def test_the_best_stands_against_the_worst():
    (pair,), fates = sample_pairs([group("a", "b", "c", "d")], [np.array([1.0, 4.0, -2.0, np.nan])])
    assert (pair.chosen, pair.rejected, pair.margin) == ((assistant("b"),), (assistant("c"),), 6.0)
    assert pair.row() == {
        "prompt": to_dicts((user("p"),)),
        "chosen": to_dicts((assistant("b"),)),
        "rejected": to_dicts((assistant("c"),)),
    }
    assert fates == {"pairs": 1, "few": 0, "level": 0, "same_text": 0}


def test_what_makes_no_pair_is_counted():
    groups = [group("a", "b"), group("a", "a"), group("a", "b"), group("a", "b", "c", cut="b")]
    rewards = [np.array(each) for each in ([1.0, 1.5], [1.0, 3.0], [1.0, np.nan], [1.0, 9.0, 4.0])]
    pairs, fates = sample_pairs(groups, rewards, least_margin=0.5, finished_only=True)
    assert fates == {"pairs": 1, "few": 1, "level": 1, "same_text": 1}
    assert pairs[0].chosen == (assistant("c"),)
    with pytest.raises(DataError):
        sample_pairs([group("a", "b")], [np.array([1.0])])
    with pytest.raises(DataError):
        sample_pairs([group("a", "b")], [])


def test_judged_pairs_stand_as_they_were_judged():
    responses = tuple((assistant(text),) for text in "abc")
    pairs = (
        Pair(0, 1),
        Pair(1, 2, prob_chosen=0.2),
        Pair(0, 2, prob_chosen=0.5),
        Pair(0, 2, prob_chosen=0.5, tie=True),
    )
    judged = Preference(prompt=(user("p"),), responses=responses, pairs=pairs, id="i", group="g", source="s")
    found, fates = preference_pairs([judged])
    assert [(each.chosen[0].content, each.rejected[0].content) for each in found] == [("a", "b"), ("c", "b")]
    assert fates == {"pairs": 2, "ties": 1, "even": 1}
