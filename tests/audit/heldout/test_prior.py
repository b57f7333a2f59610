"""`prior.against` on scorers whose prior is wrong on a known share of the pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from tests.audit.planted import PROVENANCE, length_meter, many, observed, simple

from rewardsmith.audit.heldout.prior import PriorCheck, check_prior, prior_finding, prior_part
from rewardsmith.core.conversation import Conversation, response_text
from rewardsmith.core.scores import Scores
from rewardsmith.figures.markdown import render_markdown


class TwoParts:
    """Reward = prior + residual, both functions of the conversation."""

    def __init__(self, prior: Callable[[Conversation], float], residual: Callable[[Conversation], float]) -> None:
        self.parts = {"prior": prior, "residual": residual}

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        found = {
            name: np.array([part(each) for each in conversations], np.float32) for name, part in self.parts.items()
        }
        return Scores(found["prior"] + found["residual"], PROVENANCE, attributes=found)


def longer(conversation: Conversation) -> float:
    return len(response_text(conversation)) / 10


def is_good(conversation: Conversation) -> float:
    return 50.0 if "good" in response_text(conversation) else 0.0


def part_of(scorer, preferences):
    part = prior_part(scorer, preferences, seed=0)
    assert part is not None
    return part


def test_by_hand():
    # Prior of chosen minus rejected: −1, −1, +2, 0, −3; the last pair is a tie of the raters.
    preferences = [simple(str(number), "a", "b", tie=number == 4) for number in range(5)]
    rows = observed(preferences, [(1.0, 0.0), (0.0, 1.0), (0.0, 1.0), (2.0, 1.0), (0.0, 9.0)])
    prior = np.array([-1.0, -1.0, 2.0, 0.0, -3.0])
    check = check_prior(rows, prior=prior, residual=rows.margin - prior, seed=0)
    assert isinstance(check, PriorCheck)
    # Wrong on pairs 0 and 1, of which the reward has the first right; the rest are 2 (wrong) and 3 (right).
    assert (check.against.reward.value, check.against.reward.n) == (0.5, 2)
    assert (check.rest.reward.value, check.rest.reward.n) == (0.5, 2)
    # Residuals 2, 0, −3, 1: right, tied, wrong, right.
    assert check.against.residual.value == 0.75
    assert check.rest.residual.value == 0.5
    # Of the prior: wrong, wrong, right, tied.
    assert check.prior.value == pytest.approx(1.5 / 4)
    assert check.share.value == 0.5


def test_a_reward_that_only_follows_its_prior_is_told():
    preferences = many(120, longer_share=0.5, matched_share=0.0, good="good")
    part = part_of(TwoParts(longer, lambda _: 0.0), preferences)
    (finding,) = part.findings
    assert (finding.name, finding.severity, finding.estimate.value) == ("prior.against", "warning", 0.0)
    assert finding.p_value is not None
    assert finding.p_value < 1e-6
    assert finding.limit == 0.5
    assert "follows the prior and not the labels" in finding.summary


def test_a_residual_that_outweighs_a_wrong_prior_is_fine():
    preferences = many(120, longer_share=0.5, matched_share=0.0, good="good")
    part = part_of(TwoParts(longer, is_good), preferences)
    (finding,) = part.findings
    assert (finding.severity, finding.estimate.value) == ("info", 1.0)
    assert finding.estimate.low > 0.9
    assert 40 < finding.estimate.n < 80
    page = render_markdown("t", part.sections)
    assert "The prior alone is right in" in page
    assert "the prior is wrong" in page


def test_few_pairs_are_no_alarm():
    preferences = [simple(str(number), "no", "longer") for number in range(8)]
    (finding,) = part_of(TwoParts(longer, lambda _: 0.0), preferences).findings
    assert (finding.severity, finding.p_value) == ("info", None)
    assert "too few" in finding.summary


def test_a_prior_that_is_never_wrong_leaves_nothing_to_judge():
    preferences = [simple(str(number), "longer", "no") for number in range(30)]
    (finding,) = part_of(TwoParts(longer, lambda _: 0.0), preferences).findings
    assert finding.estimate.n == 0
    assert "no figure" in finding.summary


def test_pairs_that_cannot_be_judged():
    ties = [simple(str(number), "a", "b", tie=True) for number in range(3)]
    part = part_of(TwoParts(longer, lambda _: 0.0), ties)
    assert part.findings == ()
    assert "No pair can be judged." in render_markdown("t", part.sections)


def test_other_scorers_have_no_such_part():
    assert prior_part(length_meter(), many(5), seed=0) is None


def test_the_finding_rises_with_the_residual():
    values = []
    for weight in (0.0, 0.02, 1.0):
        preferences = many(60, longer_share=0.5, matched_share=0.0, good="good")
        scorer = TwoParts(longer, lambda each, weight=weight: weight * is_good(each))
        values.append(part_of(scorer, preferences).data.against.reward.value)
    assert values == sorted(values)
    assert values[0] < values[-1]
    assert prior_finding(part_of(scorer, preferences).data).estimate.value == values[-1]
