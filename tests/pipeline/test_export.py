from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rewardsmith.core.errors import ArtefactError, ModelError
from rewardsmith.core.store import verify_artefact
from rewardsmith.models import checkpoint
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.pipeline.evaluate import evaluate_model
from rewardsmith.pipeline.export import NOT_GOOD, Export, ExportSettings, export_model
from rewardsmith.scoring.families.exported import KIND
from rewardsmith.scoring.families.spec import write_spec
from rewardsmith.scoring.load import load_scorer
from rewardsmith.text.load import prepared


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [
        {"prompt": f"question {number}", "chosen": "abc" * (number % 5 + 1), "rejected": "xy" * (number % 3 + 1) + "."}
        for number in range(24)
    ]
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture(scope="module")
def encoder(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder") / "reward-model"
    checkpoint.save(RewardModel(tiny.bert()), prepared(tiny.encoder_tokenizer()), folder, max_tokens=100)
    return folder


def export(model: Path, out: Path, pairs: Path | None, **settings: Any) -> Export:
    return export_model(model, out, pairs=pairs, settings=ExportSettings.model_validate(settings))


def test_an_exact_export_is_good_and_is_scored_and_evaluated(tiny_reward_model: Path, pairs: Path, tmp_path: Path):
    out = tmp_path / "exported"

    done = export(tiny_reward_model, out, pairs, format="torchscript", max_flips=0.0)

    assert done.good
    assert done.written
    assert done.exit_code == 0
    assert done.measured.change.flips.value == 0
    assert done.measured.change.flips.n == 24
    assert done.measured.change.max_error_sd < 1e-5
    assert done.bf16 is None
    assert done.source_bytes < done.bytes < 20 * done.source_bytes
    manifest = verify_artefact(out, KIND)
    assert manifest.counts["good"] is True
    assert manifest.parents["model"] == json.loads((out / "scorer.json").read_text("utf-8"))["source"]
    report = json.loads((out / "export.json").read_text("utf-8"))
    assert report["good"] is True
    assert report["measured"]["change"]["accuracy_change"]["value"] == 0
    assert report["measured"]["speed"]["rounds"] == 5
    found, source = (evaluate_model(each, data=pairs) for each in (out, tiny_reward_model))
    assert found.accuracy.estimate == source.accuracy.estimate


def test_eight_bits_change_little_and_say_how_much(encoder: Path, pairs: Path, tmp_path: Path):
    pytest.importorskip("onnxruntime")

    done = export(encoder, tmp_path / "exported", pairs, format="int8", max_flips=0.25)

    assert done.good
    # Two layers of six products, and the pooler's.
    assert done.quantised_layers == 13
    # Random weights tell these pairs apart by little, so that an error is a large part of a standard deviation.
    assert 1e-6 < done.measured.change.mean_error_sd < 0.3
    assert {path.name for path in (tmp_path / "exported").glob("*.onnx*")} == {"model.onnx"}
    load_scorer(tmp_path / "exported")


def test_what_changes_too_much_is_written_only_by_force(
    encoder: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("onnxruntime")
    # Three levels in the place of 255: a model that is really spoilt.
    monkeypatch.setattr("rewardsmith.models.export.int8._WEIGHT_LEVELS", 1.0)
    out = tmp_path / "exported"

    refused = export(encoder, out, pairs, format="int8")

    assert not refused.good
    assert not refused.written
    assert refused.exit_code == NOT_GOOD
    assert refused.measured.change.flips.value > 0.01
    assert list(tmp_path.iterdir()) == []

    forced = export(encoder, out, pairs, format="int8", force=True)

    assert forced.written
    assert forced.exit_code == NOT_GOOD
    assert verify_artefact(out, KIND).counts["good"] is False
    assert json.loads((out / "export.json").read_text("utf-8"))["good"] is False


def test_the_built_in_pairs_are_taken_where_none_are_named(tiny_reward_model: Path, tmp_path: Path):
    done = export(tiny_reward_model, tmp_path / "exported", None, format="torchscript", max_preferences=6)

    assert done.measured.change.flips.n >= 6


def test_other_families_are_refused(tmp_path: Path, pairs: Path):
    (tmp_path / "ensemble").mkdir()
    write_spec(tmp_path / "ensemble", "ensemble", {})

    with pytest.raises(ModelError, match="only single reward models"):
        export(tmp_path / "ensemble", tmp_path / "exported", pairs, format="onnx")


def test_a_folder_that_holds_something_else_is_left_alone(tiny_reward_model: Path, pairs: Path, tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine", "utf-8")

    with pytest.raises(ArtefactError, match="something else"):
        export(tiny_reward_model, tmp_path, pairs, format="torchscript")
