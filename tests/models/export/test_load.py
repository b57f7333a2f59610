from __future__ import annotations

import platform
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.models.export_tools import KINDS, VOCABULARY, batch, expected, reward_model

from rewardsmith.core.errors import MissingDependencyError, ModelError
from rewardsmith.models.export.deprecated import write_torchscript
from rewardsmith.models.export.format import Format
from rewardsmith.models.export.graph import RewardGraph
from rewardsmith.models.export.int8 import quantise_file
from rewardsmith.models.export.load import load_graph, multiplies_eight_bits
from rewardsmith.models.export.onnx import require_onnx, write_onnx

SHAPES = ([17, 9, 17], [1], [40, 3, 3, 3, 12], [2, 1], [60])


@pytest.mark.parametrize("kind", KINDS)
def test_torchscript_gives_the_models_rewards_at_any_size(kind: str, tmp_path: Path):
    model = reward_model(kind)
    write_torchscript(RewardGraph(model), tmp_path / "model.pt", vocabulary=VOCABULARY)
    loaded = load_graph(tmp_path / "model.pt", "torchscript")

    for lengths in SHAPES:
        padded = batch(lengths)
        found = loaded.rewards(padded.input_ids, padded.attention_mask)
        np.testing.assert_allclose(found, expected(model, padded), atol=1e-5)


def test_onnx_gives_the_models_rewards_at_any_size_and_int8_comes_near(tmp_path: Path):
    pytest.importorskip("onnxruntime")
    model = reward_model("llama")
    whole, small = tmp_path / "model.onnx", tmp_path / "int8.onnx"
    write_onnx(RewardGraph(model), whole, vocabulary=VOCABULARY, capacity=256)
    # Two layers of seven products; the head's is left out.
    assert quantise_file(whole, small, heads=1) == 14
    loaded, rounded = load_graph(whole, "onnx"), load_graph(small, "int8")

    for lengths in SHAPES:
        padded = batch(lengths)
        wanted = expected(model, padded)
        np.testing.assert_allclose(loaded.rewards(padded.input_ids, padded.attention_mask), wanted, atol=1e-5)
        found = rounded.rewards(padded.input_ids, padded.attention_mask)
        assert np.abs(found - wanted).max() < 0.15
        assert np.abs(found - wanted).max() > 1e-6

    # In eight bits, too, a text's reward is its own affair.
    padded = batch([20, 13, 4])
    alone = batch([20])
    assert rounded.rewards(alone.input_ids, alone.attention_mask)[0] == pytest.approx(
        rounded.rewards(padded.input_ids, padded.attention_mask)[0], abs=1e-5
    )


@pytest.mark.parametrize(("kind", "name"), [("torchscript", "model.pt"), ("onnx", "model.onnx")])
def test_what_is_no_exported_file_is_an_error(kind: Format, name: str, tmp_path: Path):
    with pytest.raises(ModelError, match="missing"):
        load_graph(tmp_path / name, kind)

    (tmp_path / name).write_bytes(b"not a model")
    with pytest.raises(ModelError, match="cannot read"):
        load_graph(tmp_path / name, kind)


def test_without_onnxruntime_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (tmp_path / "model.onnx").write_bytes(b"")

    with pytest.raises(MissingDependencyError, match=r"rewardsmith\[export\]"):
        load_graph(tmp_path / "model.onnx", "onnx")
    with pytest.raises(MissingDependencyError, match=r"rewardsmith\[export\]"):
        require_onnx()


def test_a_processor_that_saturates_is_told_from_one_that_does_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: False)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert not multiplies_eight_bits()

    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert multiplies_eight_bits()
