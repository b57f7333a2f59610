from __future__ import annotations

import numpy as np
import pytest
from tests.audit.planted import PROVENANCE, FunctionScorer, observed, simple

from rewardsmith.audit.observations import observe, ordered_pairs, score_once
from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import ModelError
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.core.scores import Scores

THREE = Preference(
    prompt=(user("q"),),
    responses=((assistant("a"),), (assistant("bb"),), (assistant("ccc"),)),
    pairs=(Pair(0, 1), Pair(0, 2), Pair(1, 2)),
    id="three",
    group="g",
    source="s",
)


def test_each_conversation_is_scored_once_however_many_pairs_it_takes_part_in():
    scorer = FunctionScorer(lambda conversation: len(conversation[-1].content))
    again = Preference(THREE.prompt, THREE.responses, (Pair(2, 0),), "again", "g", "s")
    rewards = score_once(scorer, [THREE, again])
    assert len(scorer.asked) == 3
    rows = observe([THREE, again], rewards)
    # Rewards are 1, 2, 3: margins 1−2, 1−3, 2−3 and, the other way round, 3−1.
    assert rows.margin.tolist() == [-1.0, -2.0, -1.0, 2.0]
    assert rows.preference.tolist() == [0, 0, 0, 1]
    assert rows.chosen.tolist() == [0, 0, 1, 2]
    assert rows.length_difference.tolist() == [-1, -2, -1, 2]
    assert len(set(rows.group.tolist())) == 1


def test_a_pair_is_read_in_the_order_that_most_raters_preferred():
    votes = ("chosen", "rejected", "rejected", "rejected", "abstain")
    rows = observed([simple("x", "long answer", "short", prob_chosen=0.25, votes=votes)], [(1.0, 5.0)])
    assert rows.margin.tolist() == [4.0]
    assert rows.prob_chosen.tolist() == [0.75]
    assert rows.agreement.tolist() == [0.75]
    assert (rows.chosen.tolist(), rows.rejected.tolist()) == ([1], [0])


@pytest.mark.parametrize(
    ("votes", "agreement"),
    [
        (("chosen", "chosen", "rejected"), 2 / 3),
        (("chosen", "tie"), 0.75),
        (("chosen", "abstain", "abstain"), 1.0),
    ],
)
def test_agreement_leaves_abstentions_out_and_counts_ties_half(votes, agreement):
    assert ordered_pairs([simple("x", "a", "b", votes=votes)])[0].agreement == pytest.approx(agreement)


def test_ties_even_labels_and_rewards_that_are_no_numbers_are_not_judged():
    preferences = [
        simple("tie", "a", "b", tie=True),
        simple("even", "a", "b", prob_chosen=0.5),
        simple("nan", "a", "b"),
        simple("inf", "a", "b"),
        simple("fine", "a", "b"),
    ]
    rows = observed(preferences, [(1, 0), (1, 0), (np.nan, 0), (np.inf, np.inf), (1, 0)])
    assert rows.judged.tolist() == [False, False, False, False, True]
    assert len(rows.where(rows.judged)) == 1


def test_a_scorer_with_two_outputs_is_refused():
    class TwoHeads:
        def score(self, conversations):
            return Scores(np.zeros((len(conversations), 2), dtype=np.float32), PROVENANCE)

    with pytest.raises(ModelError, match="one reward a conversation"):
        score_once(TwoHeads(), [THREE])
