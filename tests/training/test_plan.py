"""The plan, by hand where it is arithmetic, and against the trainer where it is a promise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.training.toy import tiny_model, toy_table, toy_trainer

from rewardsmith.losses.settings import LossSettings
from rewardsmith.models.load import build
from rewardsmith.models.settings import ModelSettings
from rewardsmith.models.trainable import count_parameters, with_trainable
from rewardsmith.training.calibration import Speed, typical
from rewardsmith.training.plan import (
    Sizes,
    _passes,
    expected_seconds,
    measure_sizes,
    micro_batches,
    peak_memory_bytes,
    plan,
    trained_depth,
)
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.schedule import Cut
from rewardsmith.training.settings import TrainingSettings


def test_micro_batches_by_hand():
    # Longest (9, 1, 3, 2), all tokens (29, 2, 6, 4), distinct (12, 2, 4, 3); 4 responses, then 2 each.
    sizes = Sizes(*(np.array(row) for row in ([9, 1, 3, 2], [29, 2, 6, 4], [12, 2, 4, 3], [4, 2, 2, 2], [0] * 4)))
    cut = Cut(4)

    # Padded as if each had 4 responses: 9 | 3, 2 (4 · 2 · 3 = 24 fits) | 1 would make 36.
    assert micro_batches(sizes, cut, layout="padded", budget=30, seed=0) == [36, 12, 2]
    # First fit: 29 | 6, 4, 2. Only the first saves enough to be shared: 12, 6, 4, 2.
    assert micro_batches(sizes, cut, layout="separate", budget=30, seed=0) == [29, 12]
    assert micro_batches(sizes, cut, layout="shared", budget=30, seed=0) == [24]


def test_the_plan_says_what_the_trainer_then_does(tmp_path):
    table = toy_table(23, responses=3)
    settings = TrainingSettings(batch_size=4, epochs=2, precision="float32", log_every_steps=100)
    trainer = toy_trainer(tmp_path, table, batch_size=4, epochs=1, log_every_steps=100)
    trainer.train()
    (line,) = [line for line in trainer.state.log_history if "loss" in line]

    found = plan(Recipe(training=settings), table, model=tiny_model())

    assert (found.preferences, found.responses, found.pairs) == (23, 69, 69)
    assert found.tokens == line["tokens"]
    assert found.computed_tokens == pytest.approx(line["tokens"] * line["computed_share"])
    assert found.distinct_tokens < found.tokens
    assert found.optimiser_steps == 2 * trainer.state.max_steps
    assert found.parameters == found.trained_parameters == sum(p.numel() for p in tiny_model().parameters())
    assert found.tokens_per_s > 0
    assert found.seconds > 0


def test_planning_leaves_the_model_alone():
    model = tiny_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}

    plan(Recipe(), toy_table(3), model=model)

    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(value.grad is None for value in model.parameters())


def test_a_head_on_cached_features_runs_the_network_once():
    table, model = toy_table(6), with_trainable(tiny_model(), ModelSettings(trainable="head"))

    often, always = TrainingSettings(epochs=5), TrainingSettings(epochs=5, cache_features="never")
    assert _passes(Recipe(training=often), model, table) == 1
    assert _passes(Recipe(training=always), model, table) == 5
    assert _passes(Recipe(training=often), tiny_model(), table) == 5


def test_the_length_penalty_runs_the_network_forward_once_more():
    recipe = Recipe(training=TrainingSettings(epochs=3), loss=LossSettings(length_decorrelation=0.1))

    assert _passes(recipe, tiny_model(), toy_table(6)) == pytest.approx(4)


def test_seconds_are_tokens_and_steps():
    assert expected_seconds(1000, 4, Speed(tokens_per_s=500, optimiser_s=0.25)) == 3.0


def test_memory_by_hand():
    model = tiny_model()
    parameters = sum(value.numel() for value in model.parameters())
    # 10 tokens, width 24, 2 blocks: 16 bytes a weight, 10 · 24 · 68 bytes a block.
    assert peak_memory_bytes(model, 10, precision="float32", checkpointing=False) == 16 * parameters + 2 * 10 * 24 * 68
    # With checkpointing: the inputs of 2 blocks (4 bytes) and one block.
    assert (
        peak_memory_bytes(model, 10, precision="bf16", checkpointing=True)
        == 16 * parameters + 2 * 10 * 24 * 4 + 10 * 24 * 34
    )


@pytest.mark.parametrize(
    ("settings", "depth"),
    [
        (ModelSettings(), 2),
        (ModelSettings(trainable="last_blocks", blocks=1), 1),
        (ModelSettings(trainable="head"), 0),
        (ModelSettings(trainable="lora", lora_rank=2), 2),
    ],
)
def test_the_gradient_goes_as_deep_as_something_is_trained(settings, depth):
    assert trained_depth(with_trainable(tiny_model(), settings)) == depth


@pytest.mark.parametrize(("mode", "depth"), [("all", 3), ("lora", 3), ("head", 0)])
@pytest.mark.parametrize("pooler", [True, False])
def test_each_pass_through_a_shared_block_keeps_its_activations(tiny, tmp_path, mode, depth, pooler):
    base = tiny.save_base(tmp_path, "shared", pooler=pooler)
    model = build(ModelSettings(base=base, trainable=mode, lora_rank=2), seed=0)
    trained, parameters = count_parameters(model)

    assert trained_depth(model) == depth
    # 10 tokens, width 32: 4 bytes a weight and 12 more a trained one, 68 bytes for each token, unit and pass.
    assert (
        peak_memory_bytes(model, 10, precision="float32", checkpointing=False)
        == 4 * parameters + 12 * trained + depth * 10 * 32 * 68
    )


def test_the_plan_of_a_model_with_shared_blocks(tiny, tmp_path):
    settings = ModelSettings(base=tiny.save_base(tmp_path, "shared"))

    found = plan(Recipe(model=settings), toy_table(3))

    assert found.seconds > 0
    assert found.peak_memory_bytes > 16 * found.parameters


def test_a_few_preferences_of_middle_length_are_timed():
    table = toy_table(41)
    few = typical(table)

    lengths = np.sort(table.longest)
    assert set(table.longest[few]) <= set(lengths)
    assert len(typical(toy_table(1))) == 1


def test_the_distinct_tokens_are_those_of_the_table():
    table = toy_table(9, responses=3)

    assert measure_sizes(table).distinct.tolist() == table.lengths.tolist()
    assert measure_sizes(table).longest.tolist() == table.longest.tolist()
