"""The length penalty in training: the whole step's, whatever the cut, and only where it is asked for."""

from __future__ import annotations

import pytest
import torch
from tests.training.test_trainer import assert_same_gradient
from tests.training.toy import first_gradient, mixed_table, tiny_model, toy_table, toy_trainer
from transformers import LlamaConfig

from rewardsmith.losses.decorrelation import length_moments, length_penalty
from rewardsmith.losses.settings import LossSettings
from rewardsmith.models.settings import ModelSettings
from rewardsmith.models.trainable import with_trainable

PENALTY = LossSettings(length_decorrelation=2.0)


def test_a_step_does_not_depend_on_how_it_is_cut_or_laid_out(tmp_path):
    ways = [("never", 10_000), ("never", 30), ("auto", 10_000), ("auto", 60), ("auto", 1)]
    gradients = [
        first_gradient(
            toy_trainer(
                tmp_path / f"{packing}{budget}", mixed_table(), loss=PENALTY, packing=packing, token_budget=budget
            )
        )
        for packing, budget in ways
    ]

    for other in gradients[1:]:
        assert_same_gradient(gradients[0], other)


def test_the_gradient_is_that_of_the_formula_one_response_at_a_time(tmp_path):
    """Bradley–Terry of the soft labels plus 2·ρ², over all pairs of the step at once."""
    table, model = mixed_table(), tiny_model()
    deltas, gaps, probs, weights = [], [], [], []
    for index in range(len(table)):
        row = table.encoded(index)
        ids = [torch.tensor([[*row.prefix.tolist(), *tail.tolist()]]) for tail in row.tails]
        rewards = [model(one, torch.ones_like(one))[0] for one in ids]
        for pair in row.pairs:
            deltas.append(rewards[pair.chosen] - rewards[pair.rejected])
            gaps.append(float(ids[pair.chosen].shape[1] - ids[pair.rejected].shape[1]))
            probs.append(pair.prob_chosen)
            weights.append(pair.weight / len(row.pairs))
    delta, gap, prob, weight = torch.stack(deltas), *map(torch.tensor, (gaps, probs, weights))
    likelihood = prob * torch.log1p(torch.exp(-delta)) + (1 - prob) * torch.log1p(torch.exp(delta))
    penalty = length_penalty(length_moments(delta, gap, torch.sign(prob - 0.5), weight))
    ((weight * likelihood).sum() / weight.sum() + 2.0 * penalty).backward()
    expected = {name: value.grad for name, value in model.named_parameters() if value.grad is not None}

    found = first_gradient(toy_trainer(tmp_path, table, loss=PENALTY, batch_size=9))
    plain = first_gradient(toy_trainer(tmp_path / "plain", table, batch_size=9))

    assert_same_gradient(expected, found)
    assert any(not torch.allclose(value, plain[name], rtol=1e-2) for name, value in found.items())


def test_features_of_a_frozen_model_have_the_same_penalty(tmp_path):
    gradients = [
        first_gradient(
            toy_trainer(
                tmp_path / cache,
                mixed_table(),
                model=with_trainable(tiny_model(), ModelSettings(trainable="head")),
                loss=PENALTY,
                cache_features=cache,
            )
        )
        for cache in ("auto", "never")
    ]

    for name, value in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_the_first_pass_leaves_no_trace(tmp_path, precision):
    """With dropout too: the pass with gradients draws what it would have drawn without the pass before it."""
    gradients = []
    for strength in (0.0, 1e-30):
        model = tiny_model()
        config: LlamaConfig = model.config
        config.attention_dropout = 0.3
        for layer in model.network.model.layers:
            layer.self_attn.attention_dropout = 0.3
        torch.manual_seed(5)
        loss = LossSettings(length_decorrelation=strength)
        options = {"loss": loss, "model": model, "packing": "never", "token_budget": 40, "precision": precision}
        gradients.append(first_gradient(toy_trainer(tmp_path / str(strength), mixed_table(), **options)))

    assert all(torch.equal(value, gradients[1][name]) for name, value in gradients[0].items())


def test_rewards_follow_length_less(tmp_path):
    """The better word is always one more word, too: of two ways to be right, the penalty leaves the word."""

    def slope(strength: float) -> float:
        trainer = toy_trainer(
            tmp_path / str(strength),
            toy_table(60, responses=3),
            loss=LossSettings(length_decorrelation=strength),
            epochs=3,
            batch_size=16,
        )
        trainer.train()
        heldout = toy_table(40, seed=9, responses=3)
        rows = [heldout.encoded(index) for index in range(len(heldout))]
        deltas, gaps = [], []
        with torch.no_grad():
            for row in rows:
                ids = [torch.tensor([[*row.prefix.tolist(), *tail.tolist()]]) for tail in row.tails]
                rewards = [trainer.model(one, torch.ones_like(one))[0] for one in ids]
                deltas += [rewards[pair.chosen] - rewards[pair.rejected] for pair in row.pairs]
                gaps += [float(ids[pair.chosen].shape[1] - ids[pair.rejected].shape[1]) for pair in row.pairs]
        ones = torch.ones(len(gaps))
        return length_penalty(length_moments(torch.stack(deltas), torch.tensor(gaps), ones, ones)).item()

    assert slope(3.0) < slope(0.0)
