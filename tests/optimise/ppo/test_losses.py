from __future__ import annotations

import math

import pytest
import torch

from rewardsmith.optimise.ppo.losses import clipped_share, masked_sum, policy_losses, value_losses


def loss(ratio: float, advantage: float) -> tuple[float, float]:
    """The loss and its gradient with respect to log π, at clip .2."""
    log_prob = torch.tensor([[math.log(ratio)]], requires_grad=True)
    found = policy_losses(log_prob, torch.zeros(1, 1), torch.tensor([[advantage]]), clip=0.2)
    found.sum().backward()
    assert log_prob.grad is not None
    return found.item(), log_prob.grad.item()


@pytest.mark.parametrize(
    ("ratio", "advantage", "wanted", "gradient"),
    [
        (1.0, 2.0, -2.0, -2.0),
        (1.1, 2.0, -2.2, -2.2),
        # Too far in the good direction: no more to gain, on either side.
        (1.5, 2.0, -2.4, 0.0),
        (0.5, -2.0, 1.6, 0.0),
        # Gone wrong: drawn back in full, on either side.
        (1.5, -2.0, 3.0, 3.0),
        (0.5, 2.0, -1.0, -1.0),
    ],
)
def test_policy_losses_by_hand(ratio: float, advantage: float, wanted: float, gradient: float):
    assert loss(ratio, advantage) == pytest.approx((wanted, gradient), rel=1e-5)


@pytest.mark.parametrize(
    ("value", "wanted", "gradient"),
    # V_old = 1, R = 2, ε = .5: near is at most 1.5. 1.2: (.8)²/2. 1.9: the clipped one is worse, (.5)²/2, no gradient.
    # 0: (2)²/2 against (.5 − 2)²/2: the larger, unclipped.
    [(1.2, 0.32, -0.8), (1.9, 0.125, 0.0), (0.0, 2.0, -2.0)],
)
def test_value_losses_by_hand(value: float, wanted: float, gradient: float):
    values = torch.tensor([[value]], requires_grad=True)
    found = value_losses(values, torch.tensor([[1.0]]), torch.tensor([[2.0]]), clip=0.5)
    found.sum().backward()
    assert values.grad is not None
    assert (found.item(), values.grad.item()) == pytest.approx((wanted, gradient), rel=1e-5)


def test_shares_and_sums_count_the_response_alone():
    log_probs = torch.log(torch.tensor([[1.0, 1.3, 0.7, 9.0]]))
    mask = torch.tensor([[True, True, True, False]])
    assert clipped_share(log_probs, torch.zeros(1, 4), mask, clip=0.2) == pytest.approx(2 / 3)
    assert float(masked_sum(torch.tensor([[1.0, 2.0, 4.0, 8.0]]), mask)) == 7.0
