"""The objective: what each setting does to the loss of each pair, and how prompts are weighed."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rewardsmith.core.errors import DataError
from rewardsmith.losses.listwise import plackett_luce
from rewardsmith.losses.objective import Objective, rank_places
from rewardsmith.losses.pair_batch import PairBatch, PairLosses
from rewardsmith.losses.pairwise import bradley_terry, hinge, soft_label
from rewardsmith.losses.settings import LossSettings
from rewardsmith.losses.ties import davidson, rao_kupper


def make_batch(pairs: list[tuple[int, int]], owners: list[int], **columns: Tensor) -> PairBatch:
    """Plain pairs of responses; `owners` names each response's prompt."""
    chosen, rejected = torch.tensor(pairs).T
    plain = PairBatch(
        chosen=chosen,
        rejected=rejected,
        prob_chosen=torch.ones(len(pairs)),
        margin=torch.zeros(len(pairs)),
        weight=torch.ones(len(pairs)),
        tie=torch.zeros(len(pairs), dtype=torch.bool),
        preference=torch.tensor(owners)[chosen],
        sequence_preference=torch.tensor(owners),
    )
    return dataclasses.replace(plain, **columns)


def reduce(losses: PairLosses) -> float:
    """What a trainer does with the pairs of a step."""
    total = (losses.weight * (losses.loss + losses.regulariser)).sum()
    return (total / losses.weight.sum()).item()


TWO_PROMPTS = make_batch([(0, 1), (3, 2)], [0, 0, 1, 1])
# Prompt 0 ranks its responses 2 > 0 > 1; prompt 1 has one pair, 4 > 3.
RANKED = make_batch([(2, 0), (2, 1), (0, 1), (4, 3)], [0, 0, 0, 1, 1])
REWARDS = torch.tensor([1.0, 0.0, 2.0, -0.5, 0.7])


def test_plain_pairs_are_bradley_terry():
    losses = Objective(LossSettings())(torch.tensor([1.2, 0.2, 0.4, 0.7]), TWO_PROMPTS, progress=0.3)
    assert losses.delta.tolist() == pytest.approx([1.0, 0.3])
    torch.testing.assert_close(losses.loss, bradley_terry(losses.delta))
    assert losses.weight.tolist() == [1.0, 1.0]
    assert losses.regulariser.tolist() == [0.0, 0.0]
    assert reduce(losses) == pytest.approx(0.4338, abs=5e-5)


def test_each_prompt_counts_once():
    losses = Objective(LossSettings())(REWARDS, RANKED)
    assert losses.weight.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1.0])
    # Rewards (2, 1, 0): Δ = 1, 2, 1, so (.313262·2 + .126928) / 3 = .251151; then log(1 + e^−1.2) = .263282.
    assert reduce(losses) == pytest.approx((0.251151 + 0.263282) / 2, abs=1e-6)


def test_a_pair_weight_scales_its_prompt():
    batch = dataclasses.replace(RANKED, weight=torch.tensor([1.0, 1.0, 1.0, 0.5]))
    assert Objective(LossSettings())(REWARDS, batch).weight.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0.5])


def test_soft_labels_and_smoothing():
    batch = dataclasses.replace(TWO_PROMPTS, prob_chosen=torch.tensor([0.75, 1.0]))
    losses = Objective(LossSettings(label_smoothing=0.1))(REWARDS[:4], batch)
    # .9·.75 + .1·.25 = .7 and .9.
    torch.testing.assert_close(losses.loss, soft_label(losses.delta, torch.tensor([0.7, 0.9])))


def test_pair_margins_are_used_only_where_asked_for():
    batch = dataclasses.replace(TWO_PROMPTS, margin=torch.tensor([1.0, 2.0]))
    plain = Objective(LossSettings(pair_margin_scale=0.5))(REWARDS[:4], batch)
    torch.testing.assert_close(plain.loss, bradley_terry(plain.delta))
    asked = Objective(LossSettings(use_pair_margin=True, pair_margin_scale=0.5))(REWARDS[:4], batch)
    torch.testing.assert_close(asked.loss, bradley_terry(asked.delta, torch.tensor([0.5, 1.0])))


@pytest.mark.parametrize(("progress", "margin"), [(0.0, 0.8), (0.25, 0.65), (1.0, 0.2), (1.5, 0.2)])
def test_the_hinge_margin_is_annealed(progress: float, margin: float):
    objective = Objective(LossSettings(kind="hinge", margin=0.8, margin_final=0.2))
    losses = objective(REWARDS[:4], TWO_PROMPTS, progress=progress)
    torch.testing.assert_close(losses.loss, hinge(losses.delta, margin))


def test_the_hinge_margin_is_constant_without_a_final_one():
    assert Objective(LossSettings(kind="hinge", margin=0.8)).margin(0.7) == 0.8


@pytest.mark.parametrize(("progress", "margin"), [(0.0, 0.0), (0.25, 0.25), (1.0, 1.0), (-1.0, 0.0)])
def test_the_margin_of_bradley_terry_is_annealed(progress: float, margin: float):
    objective = Objective(LossSettings(margin=0.0, margin_final=1.0))
    losses = objective(REWARDS[:4], TWO_PROMPTS, progress=progress)
    torch.testing.assert_close(losses.loss, bradley_terry(losses.delta, margin))


def test_the_margin_of_bradley_terry_by_hand():
    # −log σ(.2 − .5) = log(1 + e^.3) = .8544; for the pair that is right by .5 it is log 2.
    objective = Objective(LossSettings(margin=0.5, margin_final=0.5))
    losses = objective(torch.tensor([0.2, 0.0, 0.0, 0.5]), TWO_PROMPTS)
    assert losses.loss.tolist() == pytest.approx([0.8544, 0.6931], abs=5e-5)


def test_bradley_terry_has_no_margin_unless_a_final_one_is_given():
    assert Objective(LossSettings(margin=0.8)).margin(0.3) == 0.0


def test_a_margin_adds_to_that_of_the_pair_and_asks_nothing_of_a_tie():
    columns = {
        "tie": torch.tensor([True, False]),
        "prob_chosen": torch.tensor([0.5, 1.0]),
        "margin": torch.tensor([9.0, 2.0]),
    }
    objective = Objective(LossSettings(margin=1.0, margin_final=1.0, use_pair_margin=True, pair_margin_scale=0.5))
    losses = objective(REWARDS[:4], dataclasses.replace(TWO_PROMPTS, **columns))
    torch.testing.assert_close(
        losses.loss, soft_label(losses.delta, torch.tensor([0.5, 1.0]), torch.tensor([0.0, 1.0 + 1.0]))
    )


def test_ties_go_to_the_losses_that_know_them():
    tie = torch.tensor([True, False])
    columns = {"tie": tie, "prob_chosen": torch.tensor([0.5, 1.0]), "margin": torch.tensor([5.0, 1.0])}
    batch = dataclasses.replace(TWO_PROMPTS, **columns)
    margin = torch.tensor([0.0, 1.0])
    first = Objective(LossSettings(kind="rao_kupper", tie_theta=3, use_pair_margin=True))(REWARDS[:4], batch)
    torch.testing.assert_close(first.loss, rao_kupper(first.delta, tie, theta=3.0, margin=margin))
    second = Objective(LossSettings(kind="davidson", tie_nu=0.4))(REWARDS[:4], batch)
    torch.testing.assert_close(second.loss, davidson(second.delta, tie, nu=0.4))
    third = Objective(LossSettings())(REWARDS[:4], batch)
    assert third.loss[0].item() == pytest.approx(soft_label(third.delta, torch.tensor([0.5, 0.5]))[0].item())


def test_plackett_luce_counts_a_prompt_once():
    losses = Objective(LossSettings(kind="plackett_luce"))(REWARDS, RANKED)
    ranked = plackett_luce(torch.tensor([[2.0, 1.0, 0.0]])).item()
    pair = bradley_terry(torch.tensor([1.2])).item()
    assert losses.loss.tolist() == pytest.approx([ranked] * 3 + [pair])
    assert reduce(losses) == pytest.approx((0.72087 + pair) / 2, abs=1e-5)


@pytest.mark.parametrize(
    "pairs",
    [
        pytest.param([(0, 1), (2, 3), (2, 4)], id="a pair is missing"),
        pytest.param([(0, 1), (2, 3), (3, 4), (4, 2)], id="a cycle"),
        pytest.param([(0, 1), (2, 3), (2, 3), (3, 4)], id="one pair twice, another missing"),
    ],
)
def test_plackett_luce_refuses_what_is_no_ranking(pairs: list[tuple[int, int]]):
    with pytest.raises(DataError, match="preference 1 "):
        Objective(LossSettings(kind="plackett_luce"))(REWARDS, make_batch(pairs, [0, 0, 1, 1, 1]))


def test_plackett_luce_refuses_ties():
    batch = dataclasses.replace(TWO_PROMPTS, tie=torch.tensor([False, True]))
    with pytest.raises(DataError, match="preference 1 "):
        rank_places(batch)


def test_places_of_a_ranking():
    assert rank_places(RANKED).tolist() == [1, 2, 0, 1, 0]


def test_centring_and_the_readout():
    objective = Objective(LossSettings(centring=0.01, readout_l2=0.1))
    losses = objective(torch.tensor([2.0, 1.0, 0.0, -1.0]), TWO_PROMPTS)
    assert losses.regulariser.tolist() == pytest.approx([0.09, 0.01])
    assert objective.readout_penalty(torch.tensor([[3.0, -4.0]])).item() == pytest.approx(2.5)


@pytest.mark.parametrize("kind", ["bradley_terry", "hinge", "rao_kupper", "davidson", "plackett_luce"])
def test_a_constant_a_prompt_changes_nothing(kind: str):
    objective = Objective(LossSettings.model_validate({"kind": kind}))
    shifts = torch.tensor([5.0, -3.0])[RANKED.sequence_preference]
    torch.testing.assert_close(objective(REWARDS + shifts, RANKED).loss, objective(REWARDS, RANKED).loss)


@given(st.permutations(range(4)), st.permutations(range(5)))
def test_the_order_of_pairs_and_of_sequences_does_not_matter(pair_order: list[int], order: list[int]):
    where = torch.empty(5, dtype=torch.long)
    where[torch.tensor(order)] = torch.arange(5)
    columns = {
        field.name: getattr(RANKED, field.name)[torch.tensor(pair_order)] for field in dataclasses.fields(RANKED)[:7]
    }
    moved = PairBatch(**columns, sequence_preference=RANKED.sequence_preference[torch.tensor(order)])
    moved = dataclasses.replace(moved, chosen=where[moved.chosen], rejected=where[moved.rejected])
    for kind in ("bradley_terry", "plackett_luce"):
        objective = Objective(LossSettings.model_validate({"kind": kind, "centring": 0.1}))
        expected = objective(REWARDS, RANKED)
        got = objective(REWARDS[torch.tensor(order)], moved)
        torch.testing.assert_close(got.loss, expected.loss[torch.tensor(pair_order)])
        assert reduce(got) == pytest.approx(reduce(expected), rel=1e-5)


def test_half_precision_rewards_are_raised_before_the_difference():
    losses = Objective(LossSettings())(torch.tensor([6e4, -6e4, 0.0, 1.0], dtype=torch.float16), TWO_PROMPTS)
    # 120,000 does not fit into float16.
    assert losses.delta[0].item() == pytest.approx(1.2e5, rel=1e-3)
    assert losses.loss.dtype == torch.float32


@pytest.mark.parametrize("kind", ["bradley_terry", "hinge", "rao_kupper", "davidson", "plackett_luce"])
def test_descent_puts_the_chosen_response_first(kind: str):
    objective = Objective(LossSettings.model_validate({"kind": kind, "centring": 0.01}))
    rewards = torch.zeros(5, requires_grad=True)
    for _ in range(50):
        losses = objective(rewards, RANKED)
        (gradient,) = torch.autograd.grad((losses.weight * (losses.loss + losses.regulariser)).sum(), rewards)
        rewards = (rewards - 0.1 * gradient).detach().requires_grad_()
    assert rewards[2] > rewards[0] > rewards[1]
    assert rewards[4] > rewards[3]
    assert all(math.isfinite(value) for value in rewards.tolist())
