"""Centring and the readout's norm."""

from __future__ import annotations

import pytest
import torch

from rewardsmith.losses.regularisers import centring, readout_penalty


def test_centring_squares_the_sum_of_a_pair():
    # (2 + 1)² = 9, (−1 + 1)² = 0, (.5 − 2)² = 2.25.
    values = centring(torch.tensor([2.0, -1.0, 0.5]), torch.tensor([1.0, 1.0, -2.0]))
    assert values.tolist() == pytest.approx([9.0, 0.0, 2.25])


def test_centring_pulls_both_rewards_the_same_way():
    chosen, rejected = torch.tensor([2.0], requires_grad=True), torch.tensor([1.0], requires_grad=True)
    gradients = torch.autograd.grad(centring(chosen, rejected).sum(), [chosen, rejected])
    # d/dr (r⁺ + r⁻)² = 2·3 for both, so the difference is left alone.
    assert [gradient.item() for gradient in gradients] == [6.0, 6.0]


def test_centring_of_half_precision_does_not_overflow():
    large = torch.tensor([300.0], dtype=torch.float16)
    assert centring(large, large).item() == 360000.0


def test_readout_penalty_is_the_squared_norm():
    assert readout_penalty(torch.tensor([[3.0, -4.0]])).item() == 25.0
