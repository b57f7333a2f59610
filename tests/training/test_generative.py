"""Training a model that writes before it scores, and scoring with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.training.toy import CrashAt, Interrupted, first_gradient, toy_preferences, without_times

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import DataError, ModelError, OverlengthError, SettingsError
from rewardsmith.core.scores import Scorer, Truncating
from rewardsmith.losses.pairwise import bradley_terry
from rewardsmith.models.causal_lm import load_causal_lm
from rewardsmith.models.generative_checkpoint import build_generative
from rewardsmith.models.settings import ModelSettings
from rewardsmith.preferences.prepare import prepare
from rewardsmith.preferences.settings import DataSettings, SourceSettings
from rewardsmith.preferences.store import load_table
from rewardsmith.scoring.load import load_scorer
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer
from rewardsmith.training import generative
from rewardsmith.training.generative import rationale_format, train_generative
from rewardsmith.training.generative_settings import GenerativeSettings
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.settings import TrainingSettings

WORDS: dict[str, Any] = {"request": "Judge.", "closing": "\nV:", "verdicts": ("g", "b"), "max_tokens": 10}


@pytest.fixture(scope="module")
def base(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.save_base(tmp_path_factory.mktemp("base"), "decoder")


@pytest.fixture(scope="module")
def data(base: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Responses that say "good" or "bad", with a rationale that says so too."""
    folder = tmp_path_factory.mktemp("data")
    rows = [
        {"prompt": p.prompt[0].content, "rationales": ["fine", "poor"]}
        | {name: p.responses[k][0].content for k, name in enumerate(("chosen", "rejected"))}
        for p in toy_preferences(40)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = DataSettings(
        sources=(SourceSettings(path=str(folder / "rows.jsonl")),),
        heldout_share=0.2,
        near_duplicate_similarity=None,
        max_tokens=120,
    )
    prepare(settings, folder / "prepared", ConversationEncoder(load_tokenizer(base)))
    return folder / "prepared"


def recipe_of(base: str, *, model: dict | None = None, training: dict | None = None, **own: Any) -> Recipe:
    return Recipe(
        model=ModelSettings.model_validate({"base": base} | (model or {})),
        training=TrainingSettings.model_validate(
            {"epochs": 1, "learning_rate": 5e-3, "batch_size": 8, "precision": "float32", "save_every_steps": 2}
            | (training or {})
        ),
        generative=GenerativeSettings.model_validate(WORDS | {"rationales": "meta"} | own),
    )


@pytest.fixture(scope="module")
def trained(base: str, data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    out = tmp_path_factory.mktemp("trained") / "model"
    return out, train_generative(recipe_of(base, training={"epochs": 8}), data, out)


def test_it_learns_the_preferences_and_the_rationales(trained: tuple[Path, Any], data: Path) -> None:
    out, manifest = trained
    heldout = load_table(data, "heldout")
    assert manifest.counts["heldout"]["accuracy"] >= 0.8
    assert manifest.counts["heldout"]["directed_pairs"] == len(heldout)
    scorer = load_scorer(out, device="cpu")
    sides = [scorer.score([p.conversation(k) for p in heldout]) for k in (0, 1)]
    accuracy = float(np.mean(sides[0].rewards > sides[1].rewards))
    assert accuracy == pytest.approx(manifest.counts["heldout"]["accuracy"])
    assert sides[0].rationales is not None
    assert sides[1].rationales is not None
    # The toy tokenizer has no decoder, so that its bytes are joined with blanks.
    said = [[text.replace(" ", "") for text in side.rationales or ()] for side in sides]
    assert np.mean([text == "fine" for text in said[0]]) >= 0.6
    assert np.mean([text == "poor" for text in said[1]]) >= 0.6


def test_the_scorer_is_deterministic_and_its_engines_agree(trained: tuple[Path, Any], data: Path) -> None:
    out, _ = trained
    texts = [p.conversation(k) for p in load_table(data, "heldout") for k in (0, 1)]
    fast, slow = load_scorer(out, device="cpu"), load_scorer(out, engine="reference", device="cpu")
    scores = fast.score(texts)
    np.testing.assert_allclose(slow.score(texts).rewards, scores.rewards, rtol=1e-4, atol=1e-4)
    turned = load_scorer(out, device="cpu", token_budget=600).score(texts[::-1])
    np.testing.assert_allclose(turned.rewards[::-1], scores.rewards, rtol=1e-4, atol=1e-4)
    assert turned.rationales == scores.rationales[::-1]  # type: ignore[index]
    np.testing.assert_array_equal(fast.score(texts[:3]).rewards, scores.rewards[:3])
    assert len(fast.score([])) == 0
    assert scores.provenance == slow.score([]).provenance
    assert isinstance(fast, Scorer)
    assert isinstance(fast, Truncating)


def test_long_conversations_are_refused_or_cut_and_counted(trained: tuple[Path, Any]) -> None:
    out, _ = trained
    long = [(user("p" * 300), assistant("good"))]
    with pytest.raises(OverlengthError):
        load_scorer(out, device="cpu").score(long)
    scorer = load_scorer(out, device="cpu", overlength="truncate")
    assert np.isfinite(scorer.score(long).rewards).all()
    assert isinstance(scorer, Truncating)
    assert scorer.n_truncated == 1


def test_a_second_call_leaves_the_model_as_it_is_and_other_settings_do_not(trained, base: str, data: Path) -> None:
    out, manifest = trained
    written = (out / "manifest.json").stat().st_mtime_ns
    recipe = recipe_of(base, training={"epochs": 8})
    assert train_generative(recipe, data, out) == manifest
    assert (out / "manifest.json").stat().st_mtime_ns == written
    assert not out.with_name("model.work").exists()


def test_a_crashed_training_goes_on_to_the_same_model(base: str, data: Path, tmp_path: Path, monkeypatch) -> None:
    recipe = recipe_of(base, model={"trainable": "lora", "lora_rank": 2}, training={"epochs": 2})
    train_generative(recipe, data, tmp_path / "whole")
    build = generative._trainer

    def crashing(*args: Any, **options: Any) -> Any:
        trainer = build(*args, **options)
        trainer.add_callback(CrashAt(5))
        return trainer

    monkeypatch.setattr(generative, "_trainer", crashing)
    with pytest.raises(Interrupted):
        train_generative(recipe, data, tmp_path / "killed")
    monkeypatch.setattr(generative, "_trainer", build)
    assert list((tmp_path / "killed.work").glob("*/checkpoint-4"))
    train_generative(recipe, data, tmp_path / "killed")
    for name in ("model.safetensors", "generative_head.safetensors"):
        one, other = (load_file(tmp_path / folder / name) for folder in ("whole", "killed"))
        assert all(torch.equal(one[key], other[key]) for key in one)
    logs = [(tmp_path / folder / "training_log.jsonl").read_text().splitlines() for folder in ("whole", "killed")]
    one, other = ([without_times(json.loads(line)) for line in lines] for lines in logs)
    assert one == other


def gradient(base: str, data: Path, work: Path, **own: Any) -> dict[str, torch.Tensor]:
    """Of the first step, on eight preferences."""
    recipe = recipe_of(base, training={"batch_size": 64}, **own)
    settings = recipe.generative
    assert settings is not None
    found = load_causal_lm(base)
    form = rationale_format(ConversationEncoder(found.tokenizer, max_tokens=120), settings)
    model = build_generative(found, recipe.model, score_from=settings.score_from, verdicts=form.verdict_ids, seed=0)
    table = load_table(data, "train").select(range(8))
    return first_gradient(generative._trainer(recipe, settings, model, form, tables=(table, table), work=work))


@pytest.mark.parametrize("score_from", ["head", "verdict"])
def test_alpha_0_is_bradley_terry(base: str, data: Path, tmp_path: Path, score_from: Any) -> None:
    found = gradient(base, data, tmp_path, alpha=0.0, score_from=score_from)
    loaded = load_causal_lm(base)
    settings = GenerativeSettings.model_validate(WORDS | {"score_from": score_from})
    form = rationale_format(ConversationEncoder(loaded.tokenizer), settings)
    model = build_generative(loaded, ModelSettings(base=base), score_from=score_from, verdicts=form.verdict_ids, seed=0)
    deltas = []
    for preference in load_table(data, "train").select(range(8)):
        rewards = []
        for k, text in enumerate(("fine", "poor")):
            ids = form.judged(form.context(preference.conversation(k)), form.rationale_ids(text)).ids
            row = torch.tensor(ids.astype(np.int64))[None]
            rewards.append(model(row, torch.ones_like(row), torch.arange(row.shape[1])[None])[0])
        deltas.append(rewards[0] - rewards[1])
    bradley_terry(torch.cat(deltas)).mean().backward()
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(found[name], parameter.grad, rtol=1e-3, atol=1e-5)


def test_alpha_adds_the_gradient_of_the_rationales_in_proportion(base: str, data: Path, tmp_path: Path) -> None:
    none, one, two = (gradient(base, data, tmp_path / str(alpha), alpha=alpha) for alpha in (0.0, 1.0, 2.0))
    name = "network.model.layers.1.mlp.up_proj.weight"
    torch.testing.assert_close(two[name] - none[name], 2 * (one[name] - none[name]), rtol=1e-3, atol=1e-5)
    assert (one[name] - none[name]).abs().max() > 1e-3
    # The reward head has no part in what is written.
    torch.testing.assert_close(one["reward_head.weight"], none["reward_head.weight"], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    "own", [{"rationales": "rubric"}, {"rationales": "self"}, {"max_tokens": 0}, {"score_from": "verdict"}]
)
def test_each_source_and_readout_trains_and_scores(base: str, data: Path, tmp_path: Path, own: dict) -> None:
    model = {"trainable": "last_blocks", "blocks": 1}
    manifest = train_generative(recipe_of(base, model=model, **own), data, tmp_path / "model")
    assert 0 <= manifest.counts["heldout"]["accuracy"] <= 1
    scores = load_scorer(tmp_path / "model", device="cpu").score([(user("hi"), assistant("good"))])
    assert np.isfinite(scores.rewards).all()
    assert scores.rationales is not None
    assert scores.rationales[0] == "" or "max_tokens" not in own


def test_rows_without_rationales_are_named(base: str, data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows.jsonl:\d+: a row without its rationales"):
        train_generative(recipe_of(base, field="reasons"), data, tmp_path / "model")


def test_what_cannot_be_trained_is_refused(base: str, data: Path, tmp_path: Path, tiny: Any) -> None:
    with pytest.raises(SettingsError, match="section `generative:`"):
        train_generative(Recipe(), data, tmp_path / "model")
    with pytest.raises(OverlengthError, match="no room"):
        train_generative(recipe_of(base, request="p" * 250), data, tmp_path / "model")
    encoder = tiny.save_base(tmp_path / "encoder", "encoder")
    with pytest.raises(ModelError):
        train_generative(recipe_of(encoder), data, tmp_path / "model")


def test_a_changed_template_and_a_broken_spec_are_refused(trained, tmp_path: Path) -> None:
    import shutil

    folder = shutil.copytree(trained[0], tmp_path / "model")
    template = folder / "chat_template.jinja"
    text = template.read_text()
    template.write_text(text.replace("<|start|>", "<|start|> "))
    with pytest.raises(ModelError, match="template differs"):
        load_scorer(folder)
    template.write_text(text)
    with pytest.raises(SettingsError, match="bfloat16"):
        load_scorer(folder, precision="bf16")
    (folder / "scorer.json").write_text('{"family": "generative", "score_from": "nowhere"}')
    with pytest.raises(ModelError, match="not a generative model"):
        load_scorer(folder)
