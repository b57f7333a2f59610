"""Bradley–Terry, soft labels and hinge against hand values, TRL's formula and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from torch.nn.functional import logsigmoid

from rewardsmith.losses.pairwise import bradley_terry, hinge, smooth, soft_label

reals = st.floats(-50, 50, width=32)


def test_hand_values_of_bradley_terry():
    # softplus(2) = log(1 + e²) = log 8.38906, log 2, softplus(−2) = log 1.13534.
    losses = bradley_terry(torch.tensor([-2.0, 0.0, 2.0]))
    assert losses.tolist() == pytest.approx([2.1269, 0.6931, 0.1269], abs=5e-5)


def test_hand_value_of_a_mean_over_three_pairs():
    chosen, rejected = torch.tensor([2.1, 0.8, 1.9]), torch.tensor([0.4, 1.0, 1.2])
    assert bradley_terry(chosen - rejected).mean().item() == pytest.approx(0.4564, abs=5e-5)


@pytest.mark.parametrize(("scale", "shift", "expected"), [(1, 0, 0.4338), (1, 10, 0.4338), (3, 0, 0.1949)])
def test_shift_changes_nothing_and_scale_does(scale: int, shift: int, expected: float):
    chosen, rejected = torch.tensor([1.2, 0.7]) * scale + shift, torch.tensor([0.2, 0.4]) * scale + shift
    # For ×3: (softplus(−3) + softplus(−.9)) / 2 = (.04859 + .34115) / 2.
    assert bradley_terry(chosen - rejected).mean().item() == pytest.approx(expected, abs=6e-5)


def test_margin_of_llama_2():
    # softplus(.5 − .2) = log(1 + e^.3) = log 2.34986.
    assert bradley_terry(torch.tensor([0.2]), torch.tensor([0.5])).item() == pytest.approx(0.8544, abs=5e-5)


def test_gradient_is_sigma_minus_one():
    rewards = torch.tensor([[0.0, 0.0], [1.0, -0.5]], requires_grad=True)
    bradley_terry(rewards[:, 0] - rewards[:, 1]).sum().backward()
    assert rewards.grad is not None
    expected = 1 / (1 + math.exp(-1.5)) - 1
    assert rewards.grad.flatten().tolist() == pytest.approx([-0.5, 0.5, expected, -expected], abs=1e-6)


@given(st.lists(st.tuples(reals, reals, st.floats(0, 5, width=32)), min_size=1, max_size=7))
def test_equals_trl_and_scipy(rows: list[tuple[float, float, float]]):
    chosen, rejected, margin = torch.tensor(rows).T
    losses = bradley_terry(chosen - rejected, margin)
    torch.testing.assert_close(losses, -logsigmoid(chosen - rejected - margin))
    reference = -scipy.special.log_expit((chosen - rejected - margin).double().numpy())
    np.testing.assert_allclose(losses.numpy(), reference, rtol=1e-5, atol=1e-7)


def test_soft_label_hand_values():
    half = torch.tensor([0.5])
    assert soft_label(torch.tensor([0.0]), half).item() == pytest.approx(0.6931, abs=5e-5)
    # p = .75, Δ = 2: .75·.126928 + .25·2.126928 = .626928.
    assert soft_label(torch.tensor([2.0]), torch.tensor([0.75])).item() == pytest.approx(0.626928, abs=1e-5)


@given(reals, st.floats(0, 1, width=32), st.floats(0, 3, width=32))
def test_soft_label_does_not_know_which_side_is_called_chosen(delta: float, prob: float, margin: float):
    there = soft_label(torch.tensor([delta]), torch.tensor([prob]), margin)
    back = soft_label(torch.tensor([-delta]), torch.tensor([1 - prob]), margin)
    torch.testing.assert_close(there, back)


@given(st.floats(0.05, 0.95))
def test_soft_label_is_least_where_sigma_is_the_label(prob: float):
    delta = torch.tensor([math.log(prob / (1 - prob))], dtype=torch.float64, requires_grad=True)
    soft_label(delta, torch.tensor([prob], dtype=torch.float64)).sum().backward()
    assert delta.grad is not None
    assert abs(delta.grad.item()) < 1e-9


def test_a_full_label_is_bradley_terry():
    delta = torch.linspace(-5, 5, 11)
    torch.testing.assert_close(soft_label(delta, torch.ones(11)), bradley_terry(delta))
    torch.testing.assert_close(soft_label(delta, torch.zeros(11)), bradley_terry(-delta))


def test_smooth_moves_labels_towards_the_middle():
    smoothed = smooth(torch.tensor([1.0, 0.0, 0.5]), 0.1)
    assert smoothed.tolist() == pytest.approx([0.9, 0.1, 0.5])


def test_hinge_hand_values():
    # m = .5: Δ = .2 → .3; Δ = .5 and above → 0; Δ = −1 → 1.5.
    losses = hinge(torch.tensor([0.2, 0.5, 3.0, -1.0]), 0.5)
    assert losses.tolist() == pytest.approx([0.3, 0.0, 0.0, 1.5])
    # p = .5 at Δ = 0: the margin is missed on both sides by .5, halved and added.
    assert hinge(torch.tensor([0.0]), 0.5, torch.tensor([0.5])).item() == pytest.approx(0.5)


def test_hinge_pulls_only_inside_the_margin():
    delta = torch.tensor([0.2, 0.7], requires_grad=True)
    hinge(delta, 0.5).sum().backward()
    assert delta.grad is not None
    assert delta.grad.tolist() == [-1.0, 0.0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_extreme_values_are_finite_in_float32(dtype: torch.dtype):
    delta = torch.tensor([-1e4, 1e4], dtype=dtype, requires_grad=True)
    probs = torch.tensor([1.0, 1.0], dtype=dtype)
    for losses in (bradley_terry(delta), soft_label(delta, probs), hinge(delta, 0.5, probs)):
        assert losses.dtype == torch.float32
        assert losses[0].item() == pytest.approx(1e4, rel=0.01)
        assert losses[1].item() == 0.0
        (gradient,) = torch.autograd.grad(losses.sum(), delta)
        assert gradient.tolist() == [-1.0, 0.0]


def test_gradients_by_finite_differences():
    delta = torch.tensor([-1.3, 0.4, 2.2], dtype=torch.float64, requires_grad=True)
    prob = torch.tensor([0.9, 0.2, 1.0], dtype=torch.float64)
    margin = torch.tensor([0.1, 0.3, 0.7], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda d: bradley_terry(d, margin), delta)
    assert torch.autograd.gradcheck(lambda d: soft_label(d, prob, margin), delta)
    assert torch.autograd.gradcheck(lambda d: hinge(d, margin, prob), delta)


def test_wrong_shapes_are_refused():
    with pytest.raises(TypeCheckError):
        bradley_terry(torch.zeros(3, 5))
