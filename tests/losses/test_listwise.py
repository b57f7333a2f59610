"""Plackett–Luce."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.losses.listwise import plackett_luce
from rewardsmith.losses.pairwise import bradley_terry

rewards_lists = st.lists(st.floats(-20, 20, width=32), min_size=2, max_size=5)


def test_hand_value_of_plackett_luce():
    # log(e² + e + 1) − 2 = .40761 for the best, log(e + 1) − 1 = .31326 for the second, 0 for the last.
    assert plackett_luce(torch.tensor([[2.0, 1.0, 0.0]])).item() == pytest.approx(0.7209, abs=5e-5)


def test_two_responses_are_bradley_terry():
    rewards = torch.tensor([[1.2, 0.2], [-3.0, 4.0], [0.0, 0.0]])
    torch.testing.assert_close(plackett_luce(rewards), bradley_terry(rewards[:, 0] - rewards[:, 1]))


def test_probabilities_of_all_rankings_sum_to_one():
    rewards = torch.tensor([0.3, -1.2, 2.0, 0.9])
    orders = torch.tensor(list(itertools.permutations(range(4))))
    assert torch.exp(-plackett_luce(rewards[orders])).sum().item() == pytest.approx(1, abs=1e-5)


@given(rewards_lists, st.floats(-100, 100, width=32))
def test_a_shift_of_a_prompt_changes_nothing(rewards: list[float], shift: float):
    at = torch.tensor([rewards], dtype=torch.float64)
    torch.testing.assert_close(plackett_luce(at), plackett_luce(at + shift))


@given(rewards_lists)
def test_padding_changes_nothing_whatever_it_holds(rewards: list[float]):
    bare = torch.tensor([rewards])
    padded = torch.tensor([[*rewards, math.nan, 1e4, -7.0]])
    present = torch.tensor([[True] * len(rewards) + [False] * 3])
    torch.testing.assert_close(plackett_luce(padded, present), plackett_luce(bare))


def test_gradients_by_finite_differences_with_padding():
    rewards = torch.tensor([[0.5, -0.2, 1.1], [2.0, 0.1, 0.0]], dtype=torch.float64, requires_grad=True)
    present = torch.tensor([[True, True, True], [True, True, False]])
    assert torch.autograd.gradcheck(lambda r: plackett_luce(r, present), rewards)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_extreme_values_are_finite(dtype: torch.dtype):
    rewards = torch.tensor([[-1e4, 1e4, 0.0], [1e4, 0.0, -1e4]], dtype=dtype, requires_grad=True)
    present = torch.tensor([[True, True, True], [True, True, False]])
    losses = plackett_luce(rewards, present)
    assert losses.dtype == torch.float32
    assert losses[0].item() == pytest.approx(2e4, rel=0.01)
    assert losses[1].item() == 0.0
    (gradient,) = torch.autograd.grad(losses.sum(), rewards)
    assert torch.isfinite(gradient).all()
    assert gradient[1].tolist() == [0.0, 0.0, 0.0]


def test_the_better_order_has_the_smaller_loss():
    best_first = torch.tensor([[2.0, 1.0, 0.0]])
    assert plackett_luce(best_first) < plackett_luce(best_first.flip(1))
