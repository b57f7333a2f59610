from __future__ import annotations

from typing import Any

import pytest

from rewardsmith.annotate.answers import AttributesAnswer, FirstErrorAnswer, PairAnswer, RankingAnswer
from rewardsmith.annotate.pages.told import ToldVote, in_words, told_votes
from rewardsmith.annotate.votes import Vote


def vote(rater: str, answer: Any, **more: Any) -> Vote:
    return Vote(f"{rater}-{answer}", "p", "t", rater, answer, (0, 1), 1, 1.0, 1.0, **more)


# The page shows response 1 at place 1.
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (PairAnswer("first"), "answer 2"),
        (PairAnswer("second"), "answer 1"),
        (PairAnswer("tie"), "about equal"),
        (PairAnswer("first", {"helpful": "second"}), "overall: answer 2, helpful: answer 1"),
        (PairAnswer(None, {"helpful": "tie"}), "helpful: about equal"),
        (RankingAnswer((1, 2)), "2 > 1"),
        (RankingAnswer((1, 1)), "1 = 2"),
        (AttributesAnswer({"depth": 3, "style": -1}), "depth 3, style -1"),
        (FirstErrorAnswer(0), "step 1 is the first wrong one"),
        (FirstErrorAnswer(None), "no step is wrong"),
    ],
)
def test_answers_are_called_by_their_places_now(answer: Any, said: str):
    assert in_words(answer, places={1: 1, 0: 2}) == said


def test_raters_are_numbered_and_skips_left_out():
    votes = [
        vote("ann", PairAnswer("first"), rationale="why"),
        vote("bob", None),
        vote("gpt", PairAnswer("tie"), origin="judge"),
        vote("ann", PairAnswer("second"), repeat=True),
        vote("eve", PairAnswer("second"), adjudication=True),
    ]
    assert told_votes(votes, shown=(0, 1)) == (
        ToldVote("Rater 1", "answer 1", "why"),
        ToldVote("Judge 2", "about equal", ""),
        ToldVote("Rater 1", "answer 2", ""),
        ToldVote("Rater 3 (adjudicator)", "answer 2", ""),
    )
