"""From a preferences artefact to a reward-model artefact, on disk."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.training.toy import toy_table, toy_trainer, write_base, write_data

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.digest import digest_json
from rewardsmith.core.errors import ArtefactError, DataError, ModelError, OverlengthError, SettingsError
from rewardsmith.core.settings import parse_settings, parse_yaml
from rewardsmith.core.store import read_manifest, verify_artefact, write_manifest
from rewardsmith.models.checkpoint import weights_digest
from rewardsmith.models.load import load_checkpoint
from rewardsmith.models.settings import ModelSettings
from rewardsmith.preferences.store import load_table
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.training.checkpoint import steps_saved
from rewardsmith.training.plan import plan
from rewardsmith.training.recipe import Recipe, recipe_yaml
from rewardsmith.training.resume import run_digest, work_folder
from rewardsmith.training.settings import TrainingSettings
from rewardsmith.training.train import select_weights, train


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A base, the data and the recipe."""
    folder = tmp_path_factory.mktemp("made")
    base = write_base(folder / "base")
    settings = TrainingSettings(epochs=4, learning_rate=1e-2, batch_size=4, precision="float32")
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


def test_checkpointing_that_the_model_does_not_have_is_refused_before_the_first_step(tiny, tmp_path):
    base = Path(tiny.save_base(tmp_path / "base", "shared"))
    data = write_data(tmp_path / "data", base)
    recipe = Recipe(model=ModelSettings(base=str(base)), training=TrainingSettings(gradient_checkpointing=True))

    with pytest.raises(SettingsError, match=r"^training.gradient_checkpointing: .* fix: leave it out"):
        train(recipe, data, tmp_path / "out")
    with pytest.raises(SettingsError, match=r"^training.gradient_checkpointing: "):
        plan(recipe, load_table(data, "train"))
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.rglob("training_log.jsonl"))


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


def test_a_model_that_is_there_is_not_trained_again_and_its_leftovers_go(made, tmp_path):
    data, recipe = made
    out, work = tmp_path / "model", tmp_path / "model.work"
    first = train(recipe, data, out)
    before = (out / "model.safetensors").stat().st_mtime_ns
    # As after a kill between the artefact's appearance and the removal of its checkpoints.
    settled = parse_settings(Recipe, first.config, where="")
    parents = digest_json(first.parents)
    digest = run_digest(settled, parents, precision="float32", processes=1)
    (work_folder(out, digest) / "checkpoint-9").mkdir(parents=True)
    foreign = work / "0123456789abcdef" / "checkpoint-9"
    foreign.mkdir(parents=True)

    assert train(recipe, data, out) == first

    assert (out / "model.safetensors").stat().st_mtime_ns == before
    assert [path.name for path in work.iterdir()] == ["0123456789abcdef"]
    shutil.rmtree(foreign.parent)
    (work_folder(out, digest) / "checkpoint-9").mkdir(parents=True)
    train(recipe, data, out)
    assert not work.exists()


def test_a_model_that_is_there_is_trained_again_where_asked_or_harmed(made, tmp_path):
    data, recipe = made
    recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"epochs": 1.0})})
    out = tmp_path / "model"
    train(recipe, data, out)
    weights = (out / "model.safetensors").read_bytes()
    before = (out / "model.safetensors").stat().st_mtime_ns

    train(recipe, data, out, resume=False)

    assert before < (before := (out / "model.safetensors").stat().st_mtime_ns)
    (out / "model.safetensors").write_bytes(weights[:-1])
    train(recipe, data, out)
    assert (out / "model.safetensors").read_bytes() == weights


SMALL_FILES_ONLY = """
import resource, sys
from pathlib import Path
from rewardsmith.core.settings import parse_settings, parse_yaml
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.train import train
recipe = parse_settings(Recipe, parse_yaml(Path(sys.argv[1]).read_text(), where=""), where="")
limit = int(sys.argv[4])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
train(recipe, Path(sys.argv[2]), Path(sys.argv[3]))
"""


@pytest.mark.parametrize("too_large", ["model.safetensors", "optimizer.pt"])
def test_a_checkpoint_that_does_not_fit_on_the_disk_leaves_nothing_half_written(made, tmp_path, too_large):
    data, recipe = made
    out = tmp_path / "model"
    before = train(recipe, data, out)
    weights = (out / "model.safetensors").stat().st_size
    # AdamW keeps two numbers a weight.
    limit = weights // 2 if too_large == "model.safetensors" else weights * 3 // 2
    changed = recipe.model_copy(update={"training": recipe.training.model_copy(update={"seed": 5})})
    (tmp_path / "recipe.yaml").write_text(recipe_yaml(changed))
    command = [sys.executable, "-c", SMALL_FILES_ONLY, tmp_path / "recipe.yaml", data, out, limit]

    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)

    last = result.stderr.splitlines()[-1]
    assert "FullDiskError" in last
    assert f"{tmp_path / 'model.work'}" in last
    assert verify_artefact(out, "reward-model") == before
    # The log of the steps so far, a line at a time, is all that is left.
    assert [path.name for path in (tmp_path / "model.work").glob("*/*")] == ["training_log.jsonl"]


def test_the_loss_of_the_best_checkpoint_is_told(tmp_path):
    settings = {"select": "best", "epochs": 2, "batch_size": 4, "save_every_steps": 2}
    trainer = toy_trainer(tmp_path, toy_table(16), **settings)
    trainer.train()
    (_, (best, folder)) = steps_saved(tmp_path)
    trainer.state.best_global_step = best
    (folder / "model.safetensors").unlink()

    with pytest.raises(ArtefactError, match=r"best weights is damaged.*model.safetensors is missing.*--no-resume"):
        select_weights(trainer, Recipe(training=TrainingSettings.model_validate(settings)), work=tmp_path)


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
