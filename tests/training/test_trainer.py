"""The trainer on two layers: what a step minimises, what moves, what is measured, what stops it."""

from __future__ import annotations

import json
import logging
import math

import pytest
import torch
from tests.training.toy import (
    encode_words,
    first_gradient,
    mixed_table,
    tiny_model,
    toy_preferences,
    toy_table,
    toy_trainer,
)

from rewardsmith.core.errors import DataError, ModelError
from rewardsmith.core.preference import Pair
from rewardsmith.losses.settings import LossSettings
from rewardsmith.models.settings import ModelSettings
from rewardsmith.models.trainable import with_trainable


def assert_same_gradient(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    assert len(first) > 10
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("loss", [LossSettings(), LossSettings(centring=0.1, readout_l2=0.3)])
def test_a_step_does_not_depend_on_how_it_is_cut_or_laid_out(tmp_path, loss):
    ways = [("never", 10_000), ("never", 30), ("auto", 10_000), ("auto", 60), ("auto", 1)]
    gradients = [
        first_gradient(
            toy_trainer(tmp_path / f"{packing}{budget}", mixed_table(), loss=loss, packing=packing, token_budget=budget)
        )
        for packing, budget in ways
    ]

    for other in gradients[1:]:
        assert_same_gradient(gradients[0], other)


def test_the_gradient_is_that_of_the_formula_one_response_at_a_time(tmp_path):
    """Mean over prompts of the mean over a prompt's pairs of −p·log σ(Δ) − (1−p)·log σ(−Δ), weights in both sums."""
    table, model = mixed_table(), tiny_model()
    total, weight = torch.zeros(()), 0.0
    for index in range(len(table)):
        row = table.encoded(index)
        ids = [torch.tensor([[*row.prefix.tolist(), *tail.tolist()]]) for tail in row.tails]
        rewards = [model(one, torch.ones_like(one))[0] for one in ids]
        for pair in row.pairs:
            delta = rewards[pair.chosen] - rewards[pair.rejected]
            loss = torch.log1p(torch.exp(-delta)) * pair.prob_chosen
            loss = loss + torch.log1p(torch.exp(delta)) * (1 - pair.prob_chosen)
            total = total + loss * pair.weight / len(row.pairs)
            weight += pair.weight / len(row.pairs)
    (total / weight).backward()
    expected = {name: value.grad for name, value in model.named_parameters() if value.grad is not None}

    found = first_gradient(toy_trainer(tmp_path, table, batch_size=9))

    assert_same_gradient(expected, found)


def test_training_learns_which_word_is_better(tmp_path):
    trainer = toy_trainer(tmp_path, toy_table(60), epochs=3, batch_size=8)
    before = trainer.evaluate()["eval_accuracy"]

    trainer.train()

    after = trainer.evaluate()
    assert before < 0.9
    assert after["eval_accuracy"] == 1.0
    assert after["eval_loss"] < 0.1
    assert after["eval_margin_mean"] > 1


def test_swapped_labels_teach_the_opposite(tmp_path):
    swapped = toy_table(60, pairs=[Pair(1, 0)])
    trainer = toy_trainer(tmp_path, swapped, epochs=3, batch_size=8)

    trainer.train()

    assert trainer.evaluate()["eval_accuracy"] == 0.0


@pytest.mark.parametrize(
    ("settings", "moving"),
    [
        (ModelSettings(trainable="head"), ["network.score"]),
        (ModelSettings(trainable="last_blocks", blocks=1), ["network.score", "layers.1.", "model.norm"]),
        (ModelSettings(trainable="lora", lora_rank=2), ["lora_", "modules_to_save"]),
    ],
)
def test_only_the_chosen_weights_move(tmp_path, settings, moving):
    model = with_trainable(tiny_model(), settings)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}

    toy_trainer(tmp_path, toy_table(24), model=model, batch_size=8, weight_decay=0.1).train()

    moved = [name for name, value in model.named_parameters() if not torch.equal(value, before[name])]
    assert moved
    assert all(any(part in name for part in moving) for name in moved)
    assert any("score" in name for name in moved)


@pytest.mark.parametrize("batch_size", [1, 4, 7, 64])
def test_evaluation_is_exact_whatever_the_batches(tmp_path, batch_size):
    """17 prompts with 1 and 3 pairs: the figures of a plain loop over single responses."""
    rows = [*toy_preferences(12, seed=5), *toy_preferences(5, seed=6, responses=3)]
    heldout, model = encode_words(rows), tiny_model()
    losses, credits, every, weights = [], [], [], []
    for index in range(len(heldout)):
        row = heldout.encoded(index)
        ids = [torch.tensor([[*row.prefix.tolist(), *tail.tolist()]]) for tail in row.tails]
        rewards = [model(one, torch.ones_like(one)).item() for one in ids]
        every += rewards
        for pair in row.pairs:
            delta = rewards[pair.chosen] - rewards[pair.rejected]
            losses.append(math.log1p(math.exp(-delta)))
            credits.append(1.0 if delta > 0 else 0.5 if delta == 0 else 0.0)
            weights.append(1 / len(row.pairs))
    trainer = toy_trainer(tmp_path, toy_table(4), heldout=heldout, model=model, batch_size=batch_size)

    found = trainer.evaluate()

    expected = sum(loss * weight for loss, weight in zip(losses, weights, strict=True)) / sum(weights)
    assert found["eval_loss"] == pytest.approx(expected, abs=1e-6)
    assert found["eval_accuracy"] == pytest.approx(sum(credits) / len(credits))
    assert found["eval_pairs"] == 12 + 5 * 3
    assert found["eval_reward_mean"] == pytest.approx(sum(every) / len(every), abs=1e-6)
    assert found["eval_reward_min"] == pytest.approx(min(every), abs=1e-6)
    assert found["eval_reward_max"] == pytest.approx(max(every), abs=1e-6)


def test_evaluation_leaves_training_as_it_was(tmp_path):
    trainer = toy_trainer(tmp_path, toy_table(8))
    trainer.model.train()
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}

    trainer.evaluate()

    assert trainer.model.training
    assert all(torch.equal(value, before[name]) for name, value in trainer.model.state_dict().items())


def test_one_line_of_the_log_for_each_interval_with_sums_over_its_pairs(tmp_path):
    trainer = toy_trainer(
        tmp_path, toy_table(23, responses=3), batch_size=4, log_every_steps=4, evaluate_every_epochs=0.5
    )
    trainer.train()

    lines = [json.loads(line) for line in (tmp_path / "training_log.jsonl").read_text().splitlines()]
    training = [line for line in lines if "loss" in line]
    # 23 preferences in steps of 4: 6 steps. Lines at steps 4 and 6; 16 and 7 prompts of 3 pairs.
    assert [(line["step"], line["pairs"]) for line in training] == [(4, 48), (6, 21)]
    assert [line["step"] for line in lines if "eval_loss" in line] == [3, 6]
    assert {"loss", "accuracy", "grad_norm", "learning_rate", "tokens_per_s", "pairs_per_s", "reward_ties"} <= set(
        training[0]
    )
    assert training[0]["tokens"] > 0


def test_nan_stops_at_once_and_leaves_no_checkpoint(tmp_path):
    model = tiny_model()
    with torch.no_grad():
        model.network.score.weight.fill_(math.nan)
    trainer = toy_trainer(tmp_path, toy_table(8), model=model, save_every_steps=1)

    with pytest.raises(ModelError, match=r"optimiser step 1: the loss is not a number.*learning_rate"):
        trainer.train()

    assert not list(tmp_path.glob("checkpoint-*"))


def test_a_rate_that_breaks_the_model_stops_it(tmp_path):
    trainer = toy_trainer(
        tmp_path, toy_table(40), learning_rate=1e38, warmup_share=0.0, max_grad_norm=0.0, batch_size=2
    )

    with pytest.raises(ModelError, match="is not a number"):
        trainer.train()


def test_a_reward_that_drifts_is_named_once(tmp_path, caplog):
    model = tiny_model()
    with torch.no_grad():
        model.network.score.weight.mul_(1e4)
    trainer = toy_trainer(tmp_path, toy_table(12), model=model, batch_size=2, log_every_steps=1)

    with caplog.at_level(logging.WARNING):
        trainer.train()

    warnings = [record.getMessage() for record in caplog.records if "limit 50" in record.getMessage()]
    assert len(warnings) == 1
    assert "loss.centring" in warnings[0]


@pytest.mark.parametrize(
    ("loss", "pairs"),
    [
        (LossSettings(kind="rao_kupper"), (Pair(0, 1), Pair(0, 2, prob_chosen=0.5, tie=True))),
        (LossSettings(kind="davidson"), (Pair(0, 1), Pair(1, 2, prob_chosen=0.5, tie=True))),
        (LossSettings(kind="hinge", margin_final=1.0), None),
        (LossSettings(kind="plackett_luce"), None),
        (LossSettings(margin=0.0, margin_final=1.0, length_decorrelation=0.1), None),
        (LossSettings(use_pair_margin=True), (Pair(0, 1, margin=0.5), Pair(0, 2, margin=2.0))),
        (LossSettings(label_smoothing=0.1), (Pair(0, 2, prob_chosen=0.8), Pair(1, 2, prob_chosen=0.2))),
    ],
)
def test_every_loss_trains_on_k_responses(tmp_path, loss, pairs):
    table = toy_table(20, responses=3, pairs=pairs)
    trainer = toy_trainer(tmp_path, table, heldout=table, loss=loss, batch_size=6, epochs=2)
    before = trainer.evaluate()["eval_loss"]

    trainer.train()

    assert trainer.evaluate()["eval_loss"] < before


def test_the_heldout_loss_is_that_of_the_final_margin_throughout(tmp_path):
    ends = {"moving": (0.0, 1.0), "constant": (1.0, 1.0), "none": (1.0, None)}
    losses = {
        name: toy_trainer(tmp_path / name, toy_table(4), loss=LossSettings(margin=first, margin_final=last)).evaluate()[
            "eval_loss"
        ]
        for name, (first, last) in ends.items()
    }

    assert losses["moving"] == losses["constant"] > losses["none"] + 0.3


def test_a_tie_is_not_judged_by_accuracy(tmp_path):
    table = toy_table(6, responses=3, pairs=(Pair(0, 1), Pair(0, 2, prob_chosen=0.5, tie=True)))

    found = toy_trainer(tmp_path, table, heldout=table, loss=LossSettings(kind="rao_kupper")).evaluate()

    assert (found["eval_pairs"], found["eval_directed_pairs"]) == (12, 6)


def test_a_ranking_loss_refuses_what_is_no_ranking(tmp_path):
    table = toy_table(6, responses=3, pairs=(Pair(0, 1),))

    with pytest.raises(DataError, match="full ranking"):
        toy_trainer(tmp_path, table, loss=LossSettings(kind="plackett_luce")).train()


def test_one_preference_trains(tmp_path):
    trainer = toy_trainer(tmp_path, toy_table(1), batch_size=32, epochs=2)

    trainer.train()

    assert trainer.state.global_step == 2


def test_weights_of_zero_move_nothing(tmp_path):
    table = toy_table(4, pairs=[Pair(0, 1, weight=0.0)])
    trainer = toy_trainer(tmp_path, table, weight_decay=0.0)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}

    trainer.train()

    assert all(torch.equal(value, before[name]) for name, value in trainer.model.state_dict().items())


def test_checkpointed_activations_give_the_same_gradient(tmp_path):
    plain = first_gradient(toy_trainer(tmp_path / "a", mixed_table()))
    checkpointed = first_gradient(toy_trainer(tmp_path / "b", mixed_table(), gradient_checkpointing=True))

    assert_same_gradient(plain, checkpointed)


def test_nothing_is_printed_on_standard_output(tmp_path, capsys):
    toy_trainer(tmp_path, toy_table(12), batch_size=4, log_every_steps=1).train()

    captured = capsys.readouterr()
    assert captured.out == ""
    assert "tokens/s" in captured.err


def test_bf16_arithmetic_learns_and_keeps_weights_and_rewards_in_float32(tmp_path):
    trainer = toy_trainer(tmp_path, toy_table(40), epochs=3, batch_size=8, precision="bf16")

    trainer.train()

    assert trainer.accelerator.mixed_precision == "bf16"
    assert trainer.evaluate()["eval_accuracy"] == 1.0
    assert {value.dtype for value in trainer.model.parameters()} == {torch.float32}
