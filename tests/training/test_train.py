"""From a preferences artefact to a reward-model artefact, on disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.training.toy import write_base, write_data

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import ArtefactError, DataError, ModelError, OverlengthError
from rewardsmith.core.settings import parse_settings, parse_yaml
from rewardsmith.core.store import read_manifest, verify_artefact, write_manifest
from rewardsmith.models.checkpoint import weights_digest
from rewardsmith.models.load import load_checkpoint
from rewardsmith.models.settings import ModelSettings
from rewardsmith.preferences.store import load_table
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.settings import TrainingSettings
from rewardsmith.training.train import train


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A base, the data and the recipe."""
    folder = tmp_path_factory.mktemp("made")
    base = write_base(folder / "base")
    settings = TrainingSettings(epochs=4, learning_rate=1e-2, batch_size=4, accumulation=1, precision="float32")
    return write_data(folder / "data", base), Recipe(model=ModelSettings(base=str(base)), training=settings)


def test_the_artefact_is_whole_and_scores_as_its_log_says(made, tmp_path):
    data, recipe = made
    out = tmp_path / "model"

    manifest = train(recipe, data, out)

    assert verify_artefact(out, "reward-model") == manifest
    assert {"config.json", "model.safetensors", "recipe.yaml", "training_log.jsonl", "reward_model.json"} <= set(
        manifest.files
    )
    assert manifest.parents == {
        "data": read_manifest(data, "preferences").digest,
        "base": weights_digest(Path(recipe.model.base)),
    }
    assert manifest.config == recipe.model_dump(mode="json") | {"data": read_manifest(data, "preferences").config}
    saved = parse_settings(Recipe, parse_yaml((out / "recipe.yaml").read_text(), where=""), where="")
    assert saved.model_dump(mode="json") == manifest.config
    counts = manifest.counts
    assert counts["pairs"] == 4 * counts["train_preferences"]
    assert counts["steps"] == 4 * -(-counts["train_preferences"] // 4)
    assert counts["heldout"]["accuracy"] == 1.0
    assert not list(tmp_path.glob("model.work*"))

    loaded = load_checkpoint(out)
    table = load_table(data, "heldout")
    margins = []
    for index in range(len(table)):
        preference = table[index]
        ids = ConversationEncoder(loaded.tokenizer).encode([preference.conversation(k) for k in (0, 1)])
        rewards = [
            loaded.model(*(torch.tensor(np.array([a])) for a in (row.astype(int), np.ones_like(row)))) for row in ids
        ]
        margins.append((rewards[0] - rewards[1]).item())
    assert np.mean(margins) == pytest.approx(counts["heldout"]["margin_mean"], abs=1e-5)


def test_the_same_recipe_gives_the_same_weights(made, tmp_path):
    data, recipe = made
    for name in ("a", "b"):
        train(recipe, data, tmp_path / name)

    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("a", "b"))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_the_best_weights_become_the_artefact(made, tmp_path):
    data, recipe = made
    training = recipe.training.model_copy(update={"select": "best", "learning_rate": 0.3, "schedule": "constant"})

    manifest = train(recipe.model_copy(update={"training": training}), data, tmp_path / "model")

    lines = [json.loads(line) for line in (tmp_path / "model" / "training_log.jsonl").read_text().splitlines()]
    losses = {line["step"]: line["eval_loss"] for line in lines if "eval_loss" in line}
    assert manifest.counts["selected_step"] == min(losses, key=lambda step: losses[step])
    assert manifest.counts["heldout"]["loss"] == min(losses.values())


def test_an_output_that_holds_something_else_is_refused_before_training(made, tmp_path):
    data, recipe = made
    (tmp_path / "thesis.txt").write_text("years of work")

    with pytest.raises(ArtefactError, match="holds something else"):
        train(recipe, data, tmp_path)

    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_data_for_another_tokenizer_are_refused(made, tmp_path):
    data, recipe = made
    other = write_base(tmp_path / "other", extra="<more>")

    with pytest.raises(ModelError, match=r"tokenised with another.*prepare the data again"):
        train(recipe.model_copy(update={"model": ModelSettings(base=str(other))}), data, tmp_path / "out")


def test_conversations_beyond_the_positions_are_refused(made, tmp_path):
    data, recipe = made
    short = write_base(tmp_path / "short", positions=16)

    with pytest.raises(OverlengthError, match=r"more tokens than the model has positions; wanted at most 16"):
        train(recipe.model_copy(update={"model": ModelSettings(base=str(short))}), data, tmp_path / "out")


def test_an_empty_training_set_is_refused(made, tmp_path):
    data, recipe = made
    empty = tmp_path / "data"
    empty.mkdir()
    (empty / "heldout.arrow").write_bytes((data / "heldout.arrow").read_bytes())
    import pyarrow as pa

    from rewardsmith.preferences.columns import SCHEMA

    with pa.OSFile(str(empty / "train.arrow"), "wb") as sink, pa.ipc.new_file(sink, SCHEMA):
        pass
    write_manifest(empty, read_manifest(data, "preferences"))

    with pytest.raises(DataError, match="the train set is empty"):
        train(recipe, empty, tmp_path / "out")


def test_a_run_that_was_lost_is_begun_again_where_asked(made, tmp_path):
    data, recipe = made
    out = tmp_path / "model"
    foreign = tmp_path / "model.work" / "0123456789abcdef" / "checkpoint-9"
    foreign.mkdir(parents=True)

    train(recipe, data, out, resume=False)

    # Another run's checkpoints are neither used nor removed.
    assert foreign.is_dir()
    assert [path.name for path in (tmp_path / "model.work").iterdir()] == ["0123456789abcdef"]


def test_lora_gives_a_merged_model_and_the_adapter(made, tmp_path):
    data, recipe = made
    model = recipe.model.model_copy(update={"trainable": "lora", "lora_rank": 4})

    train(recipe.model_copy(update={"model": model}), data, tmp_path / "model")

    ids = torch.tensor([[5, 6, 7, 8]])
    merged, adapter = load_checkpoint(tmp_path / "model"), load_checkpoint(tmp_path / "model" / "adapter")
    torch.testing.assert_close(
        merged.model(ids, torch.ones_like(ids)), adapter.model(ids, torch.ones_like(ids)), atol=1e-5, rtol=1e-5
    )


def test_a_conversation_of_words_can_be_scored(made, tmp_path):
    data, recipe = made
    train(recipe, data, tmp_path / "model")
    loaded = load_checkpoint(tmp_path / "model")
    good, bad = ConversationEncoder(loaded.tokenizer).encode(
        [(user("sun rain"), assistant("tree good")), (user("sun rain"), assistant("tree bad"))]
    )

    rewards = [
        loaded.model(torch.tensor([row.tolist()]), torch.ones(1, len(row), dtype=torch.long)) for row in (good, bad)
    ]

    assert rewards[0] > rewards[1]
