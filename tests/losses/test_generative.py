"""L_BT + α·L_gen."""

from __future__ import annotations

import math

import pytest
import torch

from rewardsmith.losses.generative import generative_term, rationale_loss

LOG_PROBS = torch.tensor([math.log(0.5), math.log(0.25), math.log(0.125), math.log(0.5)])
OWNER = torch.tensor([0, 0, 2, 0])


def test_each_rationale_counts_its_mean_and_none_counts_nothing() -> None:
    found = rationale_loss(LOG_PROBS, OWNER, sequences=4)
    # (ln 2 + 2 ln 2 + ln 2) / 3, nothing, 3 ln 2, nothing
    assert found.tolist() == pytest.approx([4 / 3 * math.log(2), 0.0, 3 * math.log(2), 0.0])


def test_a_pair_counts_the_mean_of_both_sides() -> None:
    rationale = torch.tensor([0.6, 0.2, 1.0])
    chosen, rejected = torch.tensor([0, 2]), torch.tensor([1, 1])
    # .5 · (.6 + .2) / 2 = .2; .5 · (1 + .2) / 2 = .3
    assert generative_term(rationale, chosen, rejected, alpha=0.5).tolist() == pytest.approx([0.2, 0.3])
    swapped = generative_term(rationale, rejected, chosen, alpha=0.5)
    assert swapped.tolist() == pytest.approx([0.2, 0.3])
    assert not generative_term(rationale, chosen, rejected, alpha=0.0).any()


def test_a_less_likely_rationale_costs_more_and_the_gradient_raises_its_probability() -> None:
    values = LOG_PROBS.clone().requires_grad_(True)
    rationale_loss(values, OWNER, sequences=3).sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == pytest.approx([-1 / 3, -1 / 3, -1.0, -1 / 3])


def test_half_precision_is_raised_and_no_token_at_all_is_no_loss() -> None:
    assert rationale_loss(LOG_PROBS.bfloat16(), OWNER, sequences=3).dtype == torch.float32
    nothing = rationale_loss(torch.zeros(0), torch.zeros(0, dtype=torch.int64), sequences=2)
    assert nothing.tolist() == [0.0, 0.0]
