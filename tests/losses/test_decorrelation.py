"""The length penalty: hand values, what it leaves alone, and that a step may be cut anywhere."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr
from tests.losses.test_objective import REWARDS, TWO_PROMPTS
from torch import Tensor

from rewardsmith.core.errors import ModelError
from rewardsmith.losses.decorrelation import length_moments, length_penalty, length_slope
from rewardsmith.losses.objective import Objective
from rewardsmith.losses.settings import LossSettings


def penalty(delta, gap, direction=None, weight=None) -> Tensor:
    columns = [torch.as_tensor(each, dtype=torch.float32) for each in (delta, gap)]
    for values in (direction, weight):
        columns.append(torch.ones(len(columns[0])) if values is None else torch.as_tensor(values, dtype=torch.float32))
    return length_penalty(length_moments(*columns))


def random_pairs(pairs: int, seed: int) -> list[Tensor]:
    """Δr, Δlength, direction and weight."""
    rng = np.random.default_rng(seed)
    columns = (
        rng.normal(0, 2, pairs),
        rng.integers(-90, 90, pairs),
        rng.integers(-1, 2, pairs),
        rng.random(pairs) + 0.1,
    )
    return [torch.tensor(each, dtype=torch.float32) for each in columns]


def test_by_hand():
    # Means taken away, Δr is (−1, 0, 1) and Δlength (−1, 1, 0): C = 1, V_d = 2, V_l = 2, ε·Σw = .03.
    assert penalty([0, 1, 2], [1, 3, 2]).item() == pytest.approx(1 / (2.03 * 2))
    # A weight of 3 is three pairs of weight 1.
    repeated = penalty([0, 1, 1, 1, 2], [1, 3, 3, 3, 2])
    assert penalty([0, 1, 2], [1, 3, 2], weight=[1, 3, 1]).item() == pytest.approx(repeated.item())
    # Two pairs of unlabelled order: nothing is taken away. C = 1·2 + 3·1 = 5, V_d = 10, V_l = 5.
    assert penalty([1, 3], [2, 1], direction=[0, 0]).item() == pytest.approx(25 / (10.02 * 5))


def test_it_is_pearsons_correlation_where_rewards_differ():
    delta, gap, _, _ = random_pairs(40, seed=3)
    expected = pearsonr(delta.numpy(), gap.numpy()).statistic ** 2
    # ε = .01 against a variance of about 4.
    assert penalty(delta, gap).item() == pytest.approx(expected, rel=5e-3)
    assert penalty(100 * delta, gap).item() == pytest.approx(expected, rel=1e-4)


def test_what_only_measures_length_pays_all_and_what_is_right_everywhere_nothing():
    gap = [30.0, 5.0, -20.0, 60.0]
    assert penalty([3.0, 0.5, -2.0, 6.0], gap).item() == pytest.approx(1, abs=1e-2)
    assert penalty([-3.0, -0.5, 2.0, -6.0], gap).item() == pytest.approx(1, abs=1e-2)
    assert penalty([1.5, 1.5, 1.5, 1.5], gap).item() == 0


@pytest.mark.parametrize(
    ("delta", "gap", "direction"),
    [
        ([0.0, 0.0, 0.0], [5.0, 1.0, -3.0], None),
        ([1.0, 2.0, 0.5], [7.0, 7.0, 7.0], None),
        ([1.0, 2.0], [0.0, 0.0], [0, 0]),
        ([1.0], [4.0], None),
        ([], [], None),
    ],
)
def test_where_nothing_can_be_said_there_is_no_penalty_and_no_gradient(delta, gap, direction):
    leaf = torch.tensor(delta, dtype=torch.float32, requires_grad=True)
    value = penalty(leaf, gap, direction)
    (gradient,) = torch.autograd.grad(value, leaf)
    assert value.item() == 0
    assert gradient.tolist() == pytest.approx([0.0] * len(delta), abs=1e-6)


def test_the_gradient_stays_bounded_where_all_rewards_are_about_equal():
    _, gap, _, _ = random_pairs(16, seed=0)
    for size in (1e-6, 1e-4, 1e-2, 1.0):
        leaf = (size * random_pairs(16, seed=1)[0]).requires_grad_()
        (gradient,) = torch.autograd.grad(penalty(leaf, gap), leaf)
        # max over x of d/dx x²/(x² + ε) is .65/√ε = 6.5, spread over the pairs of the step.
        assert gradient.norm().item() <= 6.5


@settings(deadline=None)
@given(st.integers(2, 30), st.integers(0, 50))
def test_swapping_the_sides_of_any_pair_changes_nothing(pairs: int, seed: int):
    delta, gap, direction, weight = random_pairs(pairs, seed)
    sign = torch.tensor(np.random.default_rng(seed).choice([-1.0, 1.0], pairs), dtype=torch.float32)
    swapped = penalty(sign * delta, sign * gap, sign * direction, weight)
    assert swapped.item() == pytest.approx(penalty(delta, gap, direction, weight).item(), rel=1e-9, abs=1e-12)


@settings(deadline=None)
@given(st.integers(2, 30), st.integers(1, 29), st.integers(0, 50))
def test_pieces_of_a_step_have_the_gradient_of_the_whole(pairs: int, cut: int, seed: int):
    columns = random_pairs(pairs, seed)
    whole = columns[0].clone().requires_grad_()
    (expected,) = torch.autograd.grad(length_penalty(length_moments(whole, *columns[1:])), whole)

    total = length_moments(*columns)
    parts = [[each[:cut] for each in columns], [each[cut:] for each in columns]]
    torch.testing.assert_close(sum(length_moments(*part) for part in parts), total)
    slope, found = length_slope(total), []
    for delta, *others in parts:
        leaf = delta.clone().requires_grad_()
        found.append(torch.autograd.grad(slope @ length_moments(leaf, *others), leaf)[0])

    torch.testing.assert_close(torch.cat(found), expected)


def test_descent_takes_length_out_of_the_rewards():
    delta, gap, direction, weight = random_pairs(20, seed=5)
    delta = delta + 0.05 * gap
    before = penalty(delta, gap, direction, weight)
    for _ in range(200):
        leaf = delta.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(penalty(leaf, gap, direction, weight), leaf)
        delta = delta - 5 * gradient
    assert before > 0.3
    assert penalty(delta, gap, direction, weight) < 0.01


def test_the_gradient_is_that_of_the_formula():
    columns = [each.double() for each in random_pairs(7, seed=2)]
    leaf = columns[0].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda delta: length_penalty(length_moments(delta, *columns[1:])), leaf)


def test_the_objective_reads_labels_ties_and_weights():
    columns = {
        "length_gap": torch.tensor([4.0, -6.0]),
        "prob_chosen": torch.tensor([0.2, 0.5]),
        "tie": torch.tensor([False, True]),
        "weight": torch.tensor([2.0, 1.0]),
    }
    batch = dataclasses.replace(TWO_PROMPTS, **columns)
    objective = Objective(LossSettings(length_decorrelation=0.5))
    losses = objective(REWARDS[:4], batch)
    # Δ = 1 and −2.5 (rewards 1, 0, 2, −.5); the first label says rejected, the second nothing.
    moments = objective.length_moments(losses, batch)
    assert moments.tolist() == pytest.approx([3, 2, -2, -8, 2 + 6.25, 8 + 15, 32 + 36])
    torch.testing.assert_close(objective.length_slope(moments), 0.5 * length_slope(moments))


def test_a_batch_without_lengths_is_refused():
    objective = Objective(LossSettings(length_decorrelation=0.5))
    with pytest.raises(ModelError, match="length_gap"):
        objective.length_moments(objective(REWARDS[:4], TWO_PROMPTS), TWO_PROMPTS)
