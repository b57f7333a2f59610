"""From step rows to a process reward model, on disk: prepare, train, score."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.training.toy import CrashAt, Interrupted, first_gradient, without_times, write_base

from rewardsmith.core.conversation import assistant
from rewardsmith.core.errors import ArtefactError, DataError, OverlengthError, SettingsError
from rewardsmith.core.settings import parse_settings, parse_yaml
from rewardsmith.core.store import read_manifest, verify_artefact
from rewardsmith.losses.settings import LossSettings
from rewardsmith.models.settings import ModelSettings
from rewardsmith.numerics.steps import step_auroc
from rewardsmith.preferences.settings import DataSettings, SourceSettings
from rewardsmith.preferences.steps.prepare import prepare_steps
from rewardsmith.preferences.steps.store import load_traces
from rewardsmith.preferences.steps.targets import trace_targets
from rewardsmith.scoring.families.process import ProcessScorer
from rewardsmith.scoring.load import load_scorer
from rewardsmith.training.process_settings import ProcessSettings
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.settings import TrainingSettings
from rewardsmith.training.steps import train as module
from rewardsmith.training.steps.train import train_steps
from rewardsmith.training.train import RECIPE_NAME

TRAINING = TrainingSettings(
    epochs=4, learning_rate=1e-2, batch_size=4, precision="float32", save_every_steps=3, log_every_steps=5
)


def write_rows(path: Path, n: int = 60) -> DataSettings:
    """Solutions of one to four steps in which the word `no` makes a step wrong; the last of four is unlabelled."""
    rng = np.random.default_rng(0)
    words = ["sun", "rain", "tree", "road", "milk"]
    rows = []
    for number in range(n):
        wrong = [bool(rng.random() < 0.35) for _ in range(1 + number % 4)]
        steps = [f"{rng.choice(words)} {'no' if each else 'yes'}" for each in wrong]
        labels = [-1 if each else 1 for each in wrong]
        labels = labels if len(labels) < 4 else [*labels[:3], -100]
        row = {"prompt": f"{number} {' '.join(rng.choice(words, 2))}", "completions": steps, "labels": labels}
        rows.append(row | {"final_correct": not any(wrong)})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return DataSettings(sources=(SourceSettings(path=str(path)),), heldout_share=0.25, near_duplicate_similarity=None)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, Recipe]:
    folder = tmp_path_factory.mktemp("made")
    base = write_base(folder / "base")
    settings = write_rows(folder / "rows.jsonl")
    prepare_steps(settings, folder / "data")
    # Read at the last letter of a step, where two layers learn in seconds.
    process = ProcessSettings(separator="")
    return folder / "data", Recipe(model=ModelSettings(base=str(base)), process=process, training=TRAINING)


def changed(recipe: Recipe, **sections: Any) -> Recipe:
    """The recipe with some settings of its sections changed."""
    return recipe.model_copy(
        update={name: getattr(recipe, name).model_copy(update=values) for name, values in sections.items()}
    )


@pytest.fixture(scope="module")
def trained(made, tmp_path_factory) -> Path:
    data, recipe = made
    out = tmp_path_factory.mktemp("trained") / "model"
    train_steps(recipe, data, out)
    return out


def test_the_model_learns_and_its_manifest_says_so(made, trained):
    data, recipe = made
    manifest = verify_artefact(trained, "reward-model")
    heldout = manifest.counts["heldout"]
    assert heldout["accuracy"] == 1.0
    assert heldout["auroc"] == 1.0
    assert heldout["first_error_f1"] == 1.0
    assert heldout["first_error_traces"] == manifest.counts["heldout_traces"]
    assert manifest.counts["labelled_steps"] == 4 * sum(
        label is not None for trace in load_traces(data, "train") for label in trace.labels
    )
    assert manifest.parents["data"] == read_manifest(data, "steps").digest
    saved = parse_settings(Recipe, parse_yaml((trained / RECIPE_NAME).read_text(), where=""), where="")
    assert saved.model_dump(mode="json") == manifest.config
    assert saved.process == recipe.process
    assert not list(trained.parent.glob("*.work*"))


def test_the_scorer_says_what_the_manifest_says(made, trained):
    data, _ = made
    manifest = read_manifest(trained, "reward-model")
    traces = load_traces(data, "heldout")
    scorer = load_scorer(trained)
    assert isinstance(scorer, ProcessScorer)
    scores = scorer.score([(*trace.prompt, assistant("\n".join(trace.steps))) for trace in traces])
    assert scores.steps is not None
    targets = np.concatenate([trace_targets(trace, target="steps", neutral="good") for trace in traces])
    probabilities = np.concatenate(scores.steps).astype(float)
    known = ~np.isnan(targets)
    losses = -np.log(np.where(targets == 1, probabilities, 1 - probabilities))[known]
    assert losses.mean() == pytest.approx(manifest.counts["heldout"]["loss"], rel=1e-3)
    assert step_auroc(probabilities, targets) == manifest.counts["heldout"]["auroc"]
    assert scorer.spec.error_threshold == manifest.counts["error_threshold"]
    wrong = [-1 in trace.labels[:3] for trace in traces]
    rewards = {is_wrong: scores.rewards[np.array(wrong) == is_wrong] for is_wrong in (True, False)}
    assert rewards[True].max() < rewards[False].min()


def test_the_last_evaluation_in_the_log_is_the_manifests(trained):
    lines = [json.loads(line) for line in (trained / "training_log.jsonl").read_text().splitlines()]
    last = [line for line in lines if "eval_loss" in line][-1]
    heldout = read_manifest(trained, "reward-model").counts["heldout"]
    assert last["eval_loss"] == pytest.approx(heldout["loss"], rel=1e-5)
    assert last["eval_accuracy"] == heldout["accuracy"]
    assert last["eval_labelled_steps"] == heldout["labelled_steps"]
    assert not any("pairs" in key or "reward" in key for line in lines for key in line)


@pytest.mark.parametrize("step", [2, 7])
def test_an_interrupted_training_ends_with_the_same_model(made, trained, tmp_path, monkeypatch, step):
    """Before its first checkpoint (at step 3), and after its second."""
    data, recipe = made
    build = module.build_step_trainer

    def crashing(*args: Any, **kwargs: Any):
        trainer = build(*args, **kwargs)
        trainer.add_callback(CrashAt(step))
        return trainer

    out = tmp_path / "model"
    with monkeypatch.context() as patch:
        patch.setattr(module, "build_step_trainer", crashing)
        with pytest.raises(Interrupted):
            train_steps(recipe, data, out)
    assert not out.exists()

    train_steps(recipe, data, out)

    first, second = (load_file(folder / "model.safetensors") for folder in (trained, out))
    assert all(torch.equal(first[name], second[name]) for name in first)
    logs = [
        [without_times(json.loads(line)) for line in (folder / "training_log.jsonl").read_text().splitlines()]
        for folder in (trained, out)
    ]
    assert logs[0] == logs[1]


def test_a_model_that_is_there_is_left_alone(made, trained):
    data, recipe = made
    before = (trained / "model.safetensors").stat().st_mtime_ns
    train_steps(recipe, data, trained)
    assert (trained / "model.safetensors").stat().st_mtime_ns == before


def trainer_of(made, tmp_path, name: str, **sections: Any) -> Any:
    data, recipe = made
    recipe = changed(recipe, **sections)
    assert recipe.process is not None
    model = module.build_step_model(recipe.model, seed=0)
    encoder = module.ConversationEncoder(module.load_tokenizer(recipe.model.base), max_tokens=512)
    sides = [
        module.side_of(load_traces(data, split), recipe, recipe.process, encoder) for split in ("train", "heldout")
    ]
    return module.build_step_trainer(recipe, model, *sides, pad_id=encoder.pad_id, work=tmp_path / name)


def test_the_gradient_does_not_depend_on_the_cut(made, tmp_path):
    """Packed with shared problems in one micro-batch, in many, and padded: Σ loss / Σ labelled steps is the same."""
    whole = first_gradient(trainer_of(made, tmp_path, "a", training={"token_budget": 4096}))
    cut = first_gradient(trainer_of(made, tmp_path, "b", training={"token_budget": 60}))
    padded = first_gradient(trainer_of(made, tmp_path, "c", training={"packing": "never"}))
    assert whole
    for other in (cut, padded):
        for name, gradient in whole.items():
            torch.testing.assert_close(other[name], gradient, atol=2e-5, rtol=1e-3)


def test_evaluation_is_exact_whatever_the_batches(made, tmp_path):
    figures = [
        without_times(trainer_of(made, tmp_path, str(budget), training={"token_budget": budget}).evaluate())
        for budget in (4096, 50)
    ]
    assert figures[0]["eval_labelled_steps"] == figures[1]["eval_labelled_steps"] > 0
    assert figures[0]["eval_accuracy"] == figures[1]["eval_accuracy"]
    assert figures[0]["eval_loss"] == pytest.approx(figures[1]["eval_loss"], rel=1e-5)


def test_a_frozen_model_is_read_once_with_the_same_result(made, tmp_path):
    heads = {"model": {"trainable": "head"}}
    data, recipe = made
    for name, cache in (("cached", "auto"), ("again", "never")):
        train_steps(changed(recipe, **heads, training={"cache_features": cache}), data, tmp_path / name)
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("cached", "again"))
    for name in first:
        torch.testing.assert_close(first[name], second[name], atol=1e-4, rtol=1e-3)
    log = (tmp_path / "cached" / "training_log.jsonl").read_text()
    assert '"computed_share": 0.0' in log


def test_an_outcome_model_is_read_at_the_last_step(made, tmp_path):
    data, recipe = made
    recipe = changed(recipe, process={"target": "outcome"})

    manifest = train_steps(recipe, data, tmp_path / "model")

    traces = load_traces(data, "heldout")
    assert manifest.counts["heldout"]["labelled_steps"] == len(traces)
    scorer = load_scorer(tmp_path / "model")
    assert isinstance(scorer, ProcessScorer)
    assert (scorer.spec.target, scorer.spec.aggregation) == ("outcome", "last")
    scores = scorer.score_steps([(trace.prompt, trace.steps) for trace in traces])
    assert scores.steps is not None
    for reward, steps in zip(scores.rewards, scores.steps, strict=True):
        assert reward == pytest.approx(math.log(steps[-1] / (1 - steps[-1])), abs=1e-2)
    labels = np.array([float(bool(trace.final_correct)) for trace in traces])
    assert step_auroc(scores.rewards.astype(float), labels) == manifest.counts["heldout"]["auroc"]


def test_what_a_step_model_does_not_know(made, tmp_path):
    data, recipe = made
    with pytest.raises(SettingsError, match="no process section"):
        train_steps(recipe.model_copy(update={"process": None}), data, tmp_path / "x")
    with pytest.raises(SettingsError, match=r"loss.centring: .*means nothing for steps"):
        train_steps(recipe.model_copy(update={"loss": LossSettings(centring=0.1)}), data, tmp_path / "x")
    with pytest.raises(SettingsError, match=r"training.bootstrap: .*means nothing for steps"):
        train_steps(changed(recipe, training={"bootstrap": True}), data, tmp_path / "x")
    with pytest.raises(ValueError, match="an outcome is read at the last step"):
        ProcessSettings(target="outcome", aggregation="product")
    with pytest.raises(ArtefactError, match="wanted a steps artefact"):
        train_steps(recipe, tmp_path, tmp_path / "x")


def test_too_long_traces_are_counted_or_refused(tmp_path):
    base = write_base(tmp_path / "base")
    settings = write_rows(tmp_path / "rows.jsonl", 30)
    recipe = Recipe(
        model=ModelSettings(base=str(base)),
        process=ProcessSettings(),
        training=TRAINING.model_copy(update={"epochs": 1.0}),
    )
    short = settings.model_copy(update={"max_tokens": 45})
    prepare_steps(short, tmp_path / "data")
    manifest = train_steps(recipe, tmp_path / "data", tmp_path / "out")
    too_long = manifest.counts["too_long"]
    assert too_long["train"] > 0
    assert manifest.counts["train_traces"] + too_long["train"] == len(load_traces(tmp_path / "data", "train"))
    prepare_steps(short.model_copy(update={"overlength": "raise"}), tmp_path / "strict")
    with pytest.raises(OverlengthError, match="a step trace is too long"):
        train_steps(recipe, tmp_path / "strict", tmp_path / "other")


def test_data_without_the_label_that_is_asked_for(made, tmp_path):
    _, recipe = made
    rows = [{"prompt": f"q {n}", "completions": ["a", "b"], "labels": [1, -1]} for n in range(20)]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = DataSettings(
        sources=(SourceSettings(path=str(file)),), heldout_share=0.3, near_duplicate_similarity=None
    )
    prepare_steps(settings, tmp_path / "data")
    with pytest.raises(DataError, match=r"training side has nothing to learn from.*final_correct"):
        train_steps(changed(recipe, process={"target": "outcome"}), tmp_path / "data", tmp_path / "out")
