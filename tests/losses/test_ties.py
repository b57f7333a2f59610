"""Rao–Kupper and Davidson against hand values, probability sums and Bradley–Terry."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rewardsmith.losses.pairwise import bradley_terry, soft_label
from rewardsmith.losses.ties import davidson, rao_kupper

NO, YES = torch.tensor([False]), torch.tensor([True])
TieLoss = Callable[[Tensor, Tensor, Tensor | float], Tensor]


def with_theta(theta: float) -> TieLoss:
    return lambda delta, tie, prob: rao_kupper(delta, tie, theta=theta, prob_chosen=prob)


def with_nu(nu: float) -> TieLoss:
    return lambda delta, tie, prob: davidson(delta, tie, nu=nu, prob_chosen=prob)


@pytest.mark.parametrize("loss", [with_theta(2.0), with_nu(1.0)])
def test_equal_rewards_win_lose_and_tie_in_a_third_each(loss: TieLoss):
    zero = torch.zeros(1)
    for outcome in (loss(zero, NO, 1.0), loss(zero, NO, torch.zeros(1)), loss(zero, YES, 1.0)):
        assert outcome.item() == pytest.approx(math.log(3), abs=1e-6)


@given(st.floats(-20, 20, width=32), st.floats(1.0625, 16, width=32))
def test_probabilities_sum_to_one(delta: float, strength: float):
    at = torch.tensor([delta])
    for loss in (with_theta(strength), with_nu(strength)):
        losses = (loss(at, NO, 1.0), loss(-at, NO, 1.0), loss(at, YES, 1.0))
        assert sum(math.exp(-value.item()) for value in losses) == pytest.approx(1, abs=2e-5)


def test_rao_kupper_hand_value():
    # θ = 3, Δ = log 2: P(win) = 2/(2 + 3) = .4, P(loss) = 1/(1 + 3·2) = 1/7, P(tie) = 1 − .4 − 1/7 = 16/35.
    delta = torch.tensor([math.log(2)])
    assert rao_kupper(delta, NO, theta=3.0).item() == pytest.approx(-math.log(0.4), abs=1e-5)
    assert rao_kupper(-delta, NO, theta=3.0).item() == pytest.approx(math.log(7), abs=1e-5)
    assert rao_kupper(delta, YES, theta=3.0).item() == pytest.approx(-math.log(16 / 35), abs=1e-5)


def test_davidson_hand_value():
    # r = (log 4, 0), ν = 3: weights 4, 1 and 3·√4 = 6, so P(win) = 4/11, P(loss) = 1/11, P(tie) = 6/11.
    delta = torch.tensor([math.log(4)])
    assert davidson(delta, NO, nu=3.0).item() == pytest.approx(-math.log(4 / 11), abs=1e-5)
    assert davidson(-delta, NO, nu=3.0).item() == pytest.approx(math.log(11), abs=1e-5)
    assert davidson(delta, YES, nu=3.0).item() == pytest.approx(-math.log(6 / 11), abs=1e-5)


@pytest.mark.parametrize("loss", [with_theta(1.0), with_nu(0.0)])
def test_without_room_for_ties_it_is_bradley_terry(loss: TieLoss):
    delta, tie = torch.linspace(-9, 9, 7), torch.zeros(7, dtype=torch.bool)
    torch.testing.assert_close(loss(delta, tie, 1.0), bradley_terry(delta))
    prob = torch.linspace(0, 1, 7)
    torch.testing.assert_close(loss(delta, tie, prob), soft_label(delta, prob))


@given(st.floats(-30, 30, width=32), st.booleans(), st.floats(0, 1, width=32), st.floats(0, 2, width=32))
def test_the_order_of_the_sides_does_not_matter(delta: float, tie: bool, prob: float, margin: float):
    at, outcome, label = torch.tensor([delta]), torch.tensor([tie]), torch.tensor([prob])
    for function, strength in ((rao_kupper, {"theta": 2.5}), (davidson, {"nu": 0.7})):
        there = function(at, outcome, prob_chosen=label, margin=margin, **strength)
        back = function(-at, outcome, prob_chosen=1 - label, margin=margin, **strength)
        torch.testing.assert_close(there, back)


def test_a_margin_shifts_a_win_and_leaves_a_tie():
    delta, margin = torch.tensor([1.0]), torch.tensor([0.4])
    shifted = torch.tensor([0.6])
    torch.testing.assert_close(rao_kupper(delta, NO, theta=2.0, margin=margin), rao_kupper(shifted, NO, theta=2.0))
    torch.testing.assert_close(davidson(delta, NO, nu=2.0, margin=margin), davidson(shifted, NO, nu=2.0))
    torch.testing.assert_close(davidson(delta, YES, nu=2.0, margin=margin), davidson(delta, YES, nu=2.0))


def test_gradients_of_rewards_and_of_the_tie_parameter():
    delta = torch.tensor([-1.3, 0.4, 2.2], dtype=torch.float64, requires_grad=True)
    tie = torch.tensor([False, True, False])
    prob = torch.tensor([0.9, 0.5, 0.3], dtype=torch.float64)
    strength = torch.tensor(1.7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda d, t: rao_kupper(d, tie, theta=t, prob_chosen=prob), (delta, strength))
    assert torch.autograd.gradcheck(lambda d, n: davidson(d, tie, nu=n, prob_chosen=prob), (delta, strength))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_extreme_values_and_limits_are_finite(dtype: torch.dtype):
    delta = torch.tensor([-1e4, 1e4, 0.0, 1e4], dtype=dtype, requires_grad=True)
    tie = torch.tensor([False, False, True, True])
    for theta, nu in ((1.0, 0.0), (2.0, 1.0)):
        strengths = [torch.tensor(theta, requires_grad=True), torch.tensor(nu, requires_grad=True)]
        for losses in (rao_kupper(delta, tie, theta=strengths[0]), davidson(delta, tie, nu=strengths[1])):
            assert losses.dtype == torch.float32
            assert torch.isfinite(losses).all()
            gradients = torch.autograd.grad(losses.sum(), [delta, *strengths], allow_unused=True)
            assert all(torch.isfinite(gradient).all() for gradient in gradients if gradient is not None)


def test_a_tie_pulls_rewards_together():
    for loss in (with_theta(2.0), with_nu(1.0)):
        delta = torch.tensor([1.5, -1.5], requires_grad=True)
        (gradient,) = torch.autograd.grad(loss(delta, torch.tensor([True, True]), 1.0).sum(), delta)
        assert gradient[0] > 0 > gradient[1]
