"""The loss of steps: hand values, the mask, gradients, references."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from rewardsmith.losses.pairwise import bradley_terry
from rewardsmith.losses.steps import is_labelled, step_loss

NAN = float("nan")


def test_hand_values():
    """z = 2: −log σ(2) = .1269 where right, 2.1269 where wrong; z = 0: log 2 either way."""
    loss = step_loss(torch.tensor([2.0, 2.0, 0.0, 0.0]), torch.tensor([1.0, 0.0, 1.0, 0.0]))
    torch.testing.assert_close(loss, torch.tensor([0.1269, 2.1269, 0.6931, 0.6931]), atol=1e-4, rtol=0)


def test_an_unlabelled_step_has_no_loss_and_no_gradient():
    logits = torch.tensor([3.0, -2.0, float("inf")], requires_grad=True)
    targets = torch.tensor([NAN, 1.0, NAN])
    loss = step_loss(logits, targets)
    loss.sum().backward()
    assert loss[0] == loss[2] == 0
    assert loss[1].item() == pytest.approx(2.1269, abs=1e-4)
    assert logits.grad is not None
    assert logits.grad[0] == logits.grad[2] == 0
    assert list(is_labelled(targets)) == [False, True, False]


def test_the_gradient_is_probability_minus_target():
    logits = torch.tensor([0.0, 0.0, 1.5], requires_grad=True)
    step_loss(logits, torch.tensor([1.0, 0.0, 1.0])).sum().backward()
    expected = torch.tensor([-0.5, 0.5, torch.sigmoid(torch.tensor(1.5)) - 1])
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, expected)


@given(st.lists(st.tuples(st.floats(-50, 50), st.sampled_from([0.0, 0.3, 1.0])), min_size=1, max_size=6))
def test_references(pairs: list[tuple[float, float]]):
    logits, targets = (torch.tensor(column, dtype=torch.float64) for column in zip(*pairs, strict=True))
    loss = step_loss(logits, targets)
    torch.testing.assert_close(loss, binary_cross_entropy_with_logits(logits, targets, reduction="none"))
    # Right and wrong swapped with the sign.
    torch.testing.assert_close(loss, step_loss(-logits, 1 - targets))
    # What a token classifier with two labels is trained with.
    two = torch.stack([torch.zeros_like(logits), logits], dim=1)
    hard = targets.round().long()
    torch.testing.assert_close(step_loss(logits, hard.double()), cross_entropy(two, hard, reduction="none"))


def test_a_step_is_a_comparison_with_a_reward_of_nothing():
    logits = torch.tensor([1.7, -0.4])
    torch.testing.assert_close(step_loss(logits, torch.ones(2)), bradley_terry(logits))


def test_half_precision_is_raised_first():
    loss = step_loss(torch.tensor([-30000.0], dtype=torch.float16), torch.tensor([1.0]))
    assert loss.dtype == torch.float32
    assert math.isclose(loss.item(), 30000.0, rel_tol=1e-3)
