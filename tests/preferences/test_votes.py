"""Votes → majority, agreement, soft label."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.preference import Pair, Preference
from rewardsmith.preferences.votes import VOTES, agreement, majority, prob_chosen, soften

VOTE_LISTS = st.lists(st.sampled_from(VOTES), max_size=9)
SWAP = {"chosen": "rejected", "rejected": "chosen"}


def preference(*votes: str, pairs: tuple[Pair, ...] = (Pair(0, 1),)) -> Preference:
    responses = ((assistant("a"),), (assistant("b"),), (assistant("c"),))
    return Preference((user("q"),), responses, pairs, "1", "g", "s", votes=votes)


def test_a_tie_is_half_a_vote_for_each_side_and_an_abstention_none() -> None:
    # 2 chosen, 1 rejected, 1 tie: (2 + 1/2) / 4.
    assert prob_chosen(["chosen", "rejected", "tie", "chosen", "abstain"]) == 0.625
    assert prob_chosen(["rejected"]) == 0.0
    assert prob_chosen(["abstain", "abstain"]) is None
    assert prob_chosen([]) is None


def test_agreement_is_the_share_of_the_most_frequent_vote() -> None:
    assert agreement(["chosen", "chosen", "rejected", "abstain"]) == pytest.approx(2 / 3)
    assert agreement(["tie", "tie", "tie", "chosen"]) == 0.75
    assert math.isnan(agreement(["abstain"]))


def test_majority() -> None:
    assert majority(["chosen", "chosen", "rejected"]) == "chosen"
    assert majority(["rejected", "rejected", "chosen", "abstain", "abstain", "abstain"]) == "rejected"
    assert majority(["chosen", "rejected"]) == "tie"
    assert majority(["tie", "tie", "chosen"]) == "tie"
    assert majority(["abstain"]) is None


def test_soften_keeps_the_order_of_the_pair_even_against_the_label() -> None:
    softened = soften(preference("chosen", "rejected", "rejected"))
    assert softened.pairs == (Pair(0, 1, prob_chosen=pytest.approx(1 / 3)),)


def test_soften_leaves_other_preferences_alone() -> None:
    without_votes = preference()
    several_pairs = preference("chosen", pairs=(Pair(0, 1), Pair(0, 2)))
    nobody = preference("abstain")
    for unchanged in (without_votes, several_pairs, nobody):
        assert soften(unchanged) is unchanged


@given(VOTE_LISTS)
def test_swapping_the_sides_mirrors_everything(votes: list[str]) -> None:
    swapped = [SWAP.get(vote, vote) for vote in votes]
    share, mirrored = prob_chosen(votes), prob_chosen(swapped)
    assert (share is None) == (mirrored is None)
    if share is not None and mirrored is not None:
        assert share + mirrored == pytest.approx(1)
        assert agreement(votes) == agreement(swapped)
        verdict = majority(votes)
        assert majority(swapped) == SWAP.get(str(verdict), verdict)
