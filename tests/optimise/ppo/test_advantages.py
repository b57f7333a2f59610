from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.optimise.ppo.advantages import generalised_advantages, last_places, token_rewards, whitened


def test_rewards_by_hand():
    mask = torch.tensor([[True, True, True], [False, True, False]])
    ratios = torch.tensor([[0.5, -1.0, 2.0], [9.0, 3.0, 9.0]])
    found = token_rewards(torch.tensor([10.0, 1.0]), ratios, mask, beta=0.1)
    # −.05, +.1, −.2 + 10; beside the response nought; −.3 + 1.
    torch.testing.assert_close(found, torch.tensor([[-0.05, 0.1, 9.8], [0.0, 0.7, 0.0]]))


def test_rewards_sum_to_the_score_less_the_price_of_the_sequence():
    rng = torch.Generator().manual_seed(0)
    ratios = torch.randn(5, 7, generator=rng)
    mask = torch.arange(7)[None] < torch.tensor([1, 3, 7, 5, 2])[:, None]
    scores = torch.randn(5, generator=rng)
    found = token_rewards(scores, ratios, mask, beta=0.3).sum(dim=1)
    torch.testing.assert_close(found, scores - 0.3 * torch.where(mask, ratios, 0.0).sum(dim=1))


def test_advantages_by_hand():
    # γ = 1, λ = .5; r = (0, 0, 1), V = (.2, .4, .6): δ = (.2, .2, .4), A = (.2 + .2, .2 + .2, .4).
    rewards, values = torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[0.2, 0.4, 0.6]])
    mask = torch.ones(1, 3, dtype=torch.bool)
    found = generalised_advantages(rewards, values, mask, gamma=1.0, gae_lambda=0.5)
    torch.testing.assert_close(found, torch.tensor([[0.4, 0.4, 0.4]]))
    # γ = .5, λ = 1: R = (.25, .5, 1), less V.
    found = generalised_advantages(rewards, values, mask, gamma=0.5, gae_lambda=1.0)
    torch.testing.assert_close(found, torch.tensor([[0.05, 0.1, 0.4]]))


@given(st.integers(0, 10_000), st.floats(0.5, 1), st.floats(0, 1))
def test_advantages_are_the_double_sum(seed: int, gamma: float, gae_lambda: float):
    rng = np.random.default_rng(seed)
    starts, lengths = rng.integers(0, 3, 4), rng.integers(1, 5, 4)
    rewards, values = rng.normal(size=(2, 4, 7))
    mask = (np.arange(7) >= starts[:, None]) & (np.arange(7) < (starts + lengths)[:, None])
    wanted = np.zeros((4, 7))
    for row in range(4):
        r = rewards[row, mask[row]]
        v = np.append(values[row, mask[row]], 0.0)
        for t in range(len(r)):
            errors = [r[k] + gamma * v[k + 1] - v[k] for k in range(t, len(r))]
            wanted[row, starts[row] + t] = sum((gamma * gae_lambda) ** n * error for n, error in enumerate(errors))
    found = generalised_advantages(
        torch.from_numpy(rewards), torch.from_numpy(values), torch.from_numpy(mask), gamma=gamma, gae_lambda=gae_lambda
    )
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-9)


def test_whitened_over_the_response_alone():
    values = torch.tensor([[1.0, 3.0, 100.0]])
    mask = torch.tensor([[True, True, False]])
    torch.testing.assert_close(whitened(values, mask), torch.tensor([[-1.0, 1.0, 0.0]]))


@pytest.mark.parametrize(("row", "last"), [([1, 0, 0], 0), ([1, 1, 0], 1), ([0, 1, 1], 2), ([0, 1, 0], 1)])
def test_the_last_place(row: list[int], last: int):
    assert last_places(torch.tensor([row], dtype=torch.bool)).tolist() == [last]


def test_scaling_rewards_and_the_price_together_changes_no_whitened_advantage():
    rng = torch.Generator().manual_seed(1)
    ratios, mask = torch.randn(4, 6, generator=rng), torch.ones(4, 6, dtype=torch.bool)
    scores, values = torch.randn(4, generator=rng), torch.randn(4, 6, generator=rng)
    one = whitened(generalised_advantages(token_rewards(scores, ratios, mask, beta=0.2), values, mask), mask)
    six = whitened(generalised_advantages(token_rewards(6 * scores, ratios, mask, beta=1.2), 6 * values, mask), mask)
    torch.testing.assert_close(one, six)
