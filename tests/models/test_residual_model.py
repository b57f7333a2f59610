"""r = s·p + f: what is given stays as it is, and only the rest learns."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from rewardsmith.models.residual_model import ResidualModel
from rewardsmith.models.reward_model import RewardModel

IDS = torch.tensor([[1, 9, 8, 2], [1, 7, 7, 2]])
MASK = torch.ones_like(IDS)
PRIOR = torch.tensor([0.5, -2.0])


@pytest.fixture
def plain(tiny: Any) -> RewardModel:
    return RewardModel(tiny.llama())


def test_without_a_residual_the_reward_is_the_prior(plain: RewardModel) -> None:
    with torch.no_grad():
        plain.output_layer.weight.zero_()
    model = ResidualModel(plain)
    assert model(prior=PRIOR, input_ids=IDS, attention_mask=MASK).tolist() == PRIOR.tolist()
    with torch.no_grad():
        model.prior_scale.fill_(3.0)
    assert model(prior=PRIOR, input_ids=IDS, attention_mask=MASK).tolist() == [1.5, -6.0]


def test_without_a_prior_the_reward_is_the_residual(plain: RewardModel) -> None:
    wanted = plain(IDS, MASK)
    model = ResidualModel(plain)
    torch.testing.assert_close(model(input_ids=IDS, attention_mask=MASK), wanted)
    torch.testing.assert_close(model(prior=PRIOR, input_ids=IDS, attention_mask=MASK), wanted + PRIOR)


def test_only_the_residual_learns_and_the_scale_where_it_may(plain: RewardModel) -> None:
    prior = PRIOR.clone().requires_grad_()
    for learns_scale in (False, True):
        model = ResidualModel(plain, learns_scale=learns_scale)
        (model(prior=prior.detach(), input_ids=IDS, attention_mask=MASK) * torch.tensor([1.0, -1.0])).sum().backward()
        # d(r₀ − r₁)/ds = p₀ − p₁ = 2.5.
        found = None if model.prior_scale.grad is None else model.prior_scale.grad.tolist()
        assert found == ([2.5] if learns_scale else None)
        assert plain.output_layer.weight.grad is not None
    assert prior.grad is None


def test_a_filler_has_a_gradient_of_nothing(plain: RewardModel) -> None:
    # Under DDP each device must have a gradient for each weight.
    model = ResidualModel(plain, learns_scale=True)
    (model(input_ids=IDS[:1], attention_mask=MASK[:1]) * 0).sum().backward()
    assert model.prior_scale.grad is not None
    assert model.prior_scale.grad.tolist() == [0.0]


def test_in_half_precision_the_sum_stays_float32(plain: RewardModel) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        rewards = ResidualModel(plain)(prior=PRIOR + 1e-4, input_ids=IDS, attention_mask=MASK)
    assert rewards.dtype == torch.float32
