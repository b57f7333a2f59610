"""The main job on the built-in data, with a small real model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from rewardsmith.core.digest import digest_json
from rewardsmith.core.store import verify_artefact, write_manifest
from rewardsmith.pipeline.describe import write_card
from rewardsmith.pipeline.load import load_recipe
from rewardsmith.pipeline.run import run
from rewardsmith.preferences.store import load_table
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.resume import run_digest, work_folder


def _recipe(base: str, *more: str) -> Recipe:
    small = ["data.limit=40", "data.max_tokens=250", "data.overlength=truncate", "training.epochs=1"]
    return load_recipe(None, assignments=[f"model.base={base}", *small, *more])


@pytest.fixture(scope="module")
def finished(tiny, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("run")
    recipe = _recipe(tiny.save_base(folder / "base", "decoder"))
    return recipe, folder / "out", run(recipe, folder / "out")


def test_every_stage_leaves_a_whole_artefact(finished):
    _, out, result = finished
    assert [stage.name for stage in result.stages] == ["data", "model", "evaluation"]
    for kind, name in (("preferences", "data"), ("reward-model", "model"), ("evaluation", "evaluation")):
        verify_artefact(out / name, kind)
    assert sorted(p.name for p in out.iterdir()) == ["card", "data", "evaluation", "model"]


def test_the_card_of_the_data_is_written_once_and_anew_for_other_data(finished, tmp_path: Path):
    recipe, out, result = finished
    data = verify_artefact(out / "data", "preferences")
    assert verify_artefact(out / "card", "data-card").parents == {"data": data.digest}
    assert result.card == out / "card" / "card.html"
    card = json.loads((out / "card" / "card.json").read_text())
    assert card["preferences"] == data.counts["kept_train"]
    assert set(card["floors"]) == {"longer wins", "shorter wins", "bag of words"}
    assert recipe.name in result.card.read_text()

    copied = shutil.copytree(out, tmp_path / "out")
    page = copied / "card" / "card.html"
    before = page.stat().st_mtime_ns
    write_card(copied / "data", copied / "card", name=recipe.name)
    assert page.stat().st_mtime_ns == before
    (copied / "data" / "review.jsonl").write_text("{}\n")
    write_manifest(copied / "data", data)
    write_card(copied / "data", copied / "card", name=recipe.name)
    assert page.stat().st_mtime_ns > before


def test_the_leftovers_of_a_killed_training_go_though_its_model_is_current(finished, tmp_path: Path):
    recipe, out, _ = finished
    copied = shutil.copytree(out, tmp_path / "out")
    manifest = verify_artefact(copied / "model", "reward-model")
    digest = run_digest(recipe, digest_json(manifest.parents), precision=manifest.counts["precision"], processes=1)
    (work_folder(copied / "model", digest) / "checkpoint-1").mkdir(parents=True)
    assert [stage.reused for stage in run(recipe, copied).stages] == [True, True, False]
    assert sorted(p.name for p in copied.iterdir()) == ["card", "data", "evaluation", "model"]


def test_each_artefact_names_its_parents(finished):
    _, out, _ = finished
    data = verify_artefact(out / "data", "preferences")
    model = verify_artefact(out / "model", "reward-model")
    assert model.parents["data"] == data.digest
    assert verify_artefact(out / "evaluation", "evaluation").parents["data"] == data.digest


def test_the_report_is_one_file_with_pictures_and_its_numbers_are_the_json_ones(finished):
    _, _, result = finished
    html = result.report.read_text()
    assert "<svg" in html or "data:image/png" in html
    assert "<script" not in html
    report = json.loads((result.report.parent / "report.json").read_text())
    accuracy = report["accuracy"]["estimate"]
    assert accuracy["n"] == result.evaluation.accuracy.estimate.n > 0
    assert f"{100 * accuracy['value']:.1f}" in (result.report.parent / "report.md").read_text()


def test_a_second_run_trains_nothing_again_and_finds_the_same(finished):
    recipe, out, first = finished
    before = (out / "model" / "model.safetensors").stat().st_mtime_ns
    again = run(recipe, out)
    assert [stage.reused for stage in again.stages] == [True, True, False]
    assert (out / "model" / "model.safetensors").stat().st_mtime_ns == before
    assert again.evaluation.accuracy == first.evaluation.accuracy


def test_a_changed_recipe_trains_again_on_the_same_data(finished, tmp_path: Path):
    recipe, _, _ = finished
    out = tmp_path / "out"
    run(recipe, out)
    changed = recipe.model_copy(update={"training": recipe.training.model_copy(update={"seed": 5})})
    assert [stage.reused for stage in run(changed, out).stages] == [True, False, False]


def test_other_weights_in_the_bases_folder_train_again(tiny, tmp_path: Path):
    recipe = _recipe(tiny.save_base(tmp_path / "base", "decoder"))
    run(recipe, tmp_path / "out")
    path = tmp_path / "base" / "model.safetensors"
    weights = load_file(path)
    save_file({name: tensor + 0.01 for name, tensor in weights.items()}, path, metadata={"format": "pt"})
    assert [stage.reused for stage in run(recipe, tmp_path / "out").stages] == [True, False, False]


def test_plain_transformers_gives_the_reports_scores(finished):
    _, out, result = finished
    model = AutoModelForSequenceClassification.from_pretrained(out / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(out / "model")
    rows = {row.id: row for row in load_table(out / "data", "heldout")}
    for pair in result.evaluation.pairs[:5]:
        messages = [message._asdict() for message in rows[pair.id].conversation(pair.chosen)]
        ids = tokenizer.apply_chat_template(messages, return_tensors="pt", return_dict=True)
        with torch.no_grad():
            score = model(**{key: ids[key] for key in ("input_ids", "attention_mask")}).logits.item()
        np.testing.assert_allclose(score, pair.chosen_reward, atol=1e-5)
