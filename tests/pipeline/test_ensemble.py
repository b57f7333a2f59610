"""Models that are there already, put together."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import DataError, ModelError, SettingsError
from rewardsmith.core.store import verify_artefact
from rewardsmith.models import checkpoint
from rewardsmith.models.load import load_checkpoint
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.pipeline.audit import audit_model
from rewardsmith.pipeline.ensemble import average_models, combine_models
from rewardsmith.pipeline.evaluate import evaluate_model
from rewardsmith.scoring.load import load_scorer
from rewardsmith.text.load import prepared

TEXTS = [(user("Why?"), assistant(answer)) for answer in ("Because.", "No idea at all, sorry.", "It rains.")]


@pytest.fixture(scope="module")
def models(tiny, tmp_path_factory):
    """Three tiny reward models of one start."""
    folder = tmp_path_factory.mktemp("models")
    for number in range(3):
        torch.manual_seed(0)
        model = RewardModel(tiny.llama())
        torch.manual_seed(1 + number)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.05 * torch.randn_like(parameter)
        checkpoint.save(model, prepared(tiny.decoder_tokenizer()), folder / f"m{number}", base="tiny", max_tokens=200)
    return [folder / f"m{number}" for number in range(3)]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Forty pairs in a file."""
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    words = ["red", "blue", "green", "old", "new"]
    rows = [
        {"prompt": f"Say {n}.", "chosen": f"{words[n % 5]} {n}", "rejected": f"{words[(3 * n + 1) % 5]} {n * n}!"}
        for n in range(40)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_an_ensemble_of_copies_scores_and_can_be_moved(models, pairs, tmp_path):
    manifest = combine_models(models, data=pairs, out=tmp_path / "e", rule="penalised", weight=2.0)

    assert verify_artefact(tmp_path / "e", "reward-model") == manifest
    assert manifest.counts == {"members": 3, "reference_conversations": 80}
    (tmp_path / "e").rename(tmp_path / "moved")
    ensemble = load_scorer(tmp_path / "moved")
    scores = ensemble.score(TEXTS)
    assert scores.members is not None
    own = np.stack([load_scorer(model).score(TEXTS).rewards for model in models])
    standard = ensemble.standard  # type: ignore[attr-defined]
    standardised = (own - standard.offsets[:, None]) / standard.scales[:, None]
    assert scores.members == pytest.approx(standardised, abs=1e-4)
    assert scores.rewards == pytest.approx(standardised.mean(0) - 2.0 * standardised.var(0), abs=1e-4)


def test_a_member_may_be_an_ensemble(models, pairs, tmp_path):
    combine_models(models[:2], data=pairs, out=tmp_path / "inner")
    combine_models([tmp_path / "inner", models[2]], data=pairs, out=tmp_path / "outer", rule="worst")
    scores = load_scorer(tmp_path / "outer").score(TEXTS)
    assert scores.members is not None
    assert scores.rewards == pytest.approx(scores.members.min(axis=0))


def test_it_is_evaluated_and_audited_like_any_model(models, pairs, tmp_path):
    combine_models(models, data=pairs, out=tmp_path / "e")
    evaluation = evaluate_model(tmp_path / "e", data=pairs)
    assert evaluation.accuracy.estimate.n > 0
    audit = audit_model(tmp_path / "e", data=pairs, probes=["format.bullets"])
    assert all(part.name != "uncertainty" for part in audit.parts)


def test_the_mean_of_weights_is_one_ordinary_model(models, tmp_path):
    average_models(models, out=tmp_path / "mean")
    states = [load_checkpoint(model).model.state_dict() for model in models]
    mean = load_checkpoint(tmp_path / "mean")
    for name, value in mean.model.state_dict().items():
        assert torch.allclose(value, sum(state[name] for state in states) / 3, atol=1e-6), name
    assert mean.card.max_tokens == 200
    assert mean.card.base == "tiny"


def test_what_cannot_be_combined_is_refused_before_anything_is_written(models, pairs, tmp_path):
    out = tmp_path / "e"
    with pytest.raises(SettingsError, match="two models or more; got 1"):
        combine_models(models[:1], data=pairs, out=out)
    with pytest.raises(SettingsError, match="no such folder"):
        combine_models([*models, tmp_path / "gone"], data=pairs, out=out)
    with pytest.raises(SettingsError, match="unknown rule; wanted one of mean, worst, penalised; got median"):
        combine_models(models, data=pairs, out=out, rule="median")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="inside a member"):
        combine_models(models, data=pairs, out=models[0] / "e")
    assert not out.exists()


def test_a_constant_member_is_named_by_its_folder(models, pairs, tiny, tmp_path):
    model = RewardModel(tiny.llama())
    with torch.no_grad():
        model.output_layer.weight.zero_()
    checkpoint.save(model, prepared(tiny.decoder_tokenizer()), tmp_path / "flat", base="tiny", max_tokens=200)
    with pytest.raises(DataError, match="flat: a member gives all responses"):
        combine_models([models[0], tmp_path / "flat"], data=pairs, out=tmp_path / "e")


def test_models_with_other_seeds_of_the_head_are_not_averaged(models, tmp_path):
    from rewardsmith.core.manifest import Manifest
    from rewardsmith.core.store import write_manifest

    folders = []
    for seed in (0, 1):
        folders.append(tmp_path / f"seed-{seed}")
        shutil.copytree(models[seed], folders[-1])
        write_manifest(folders[-1], Manifest(kind="reward-model", config={"training": {"seed": seed}}))
    with pytest.raises(ModelError, match=r"different heads.*seed-0: 0, seed-1: 1.*data_seed"):
        average_models(folders, out=tmp_path / "mean")
