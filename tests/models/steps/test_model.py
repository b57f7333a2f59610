"""Step models: one logit a place, however the batch lies, and the same as plain transformers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForTokenClassification, GPT2Config, GPT2ForTokenClassification

from rewardsmith.batching.step_batch import step_batch
from rewardsmith.core.errors import ModelError, SettingsError
from rewardsmith.models.packing import enable_packing
from rewardsmith.models.settings import ModelSettings
from rewardsmith.models.steps.checkpoint import save_step_model
from rewardsmith.models.steps.load import build_step_model, load_step_checkpoint
from rewardsmith.models.steps.model import StepModel
from rewardsmith.models.trainable import count_parameters
from rewardsmith.text.load import load_tokenizer

KINDS = ["decoder", "encoder"]


@pytest.fixture(scope="module", params=KINDS)
def base(request, tiny, tmp_path_factory) -> str:
    return tiny.save_base(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def decoder_base(tiny, tmp_path_factory) -> str:
    return tiny.save_base(tmp_path_factory.mktemp("decoder"), "decoder")


def solutions() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Three solutions, two of one problem of 24 tokens; 2, 3 and 1 steps."""
    rng = np.random.default_rng(0)
    problem = rng.integers(5, 100, 24)
    ids = [np.concatenate([problem, rng.integers(5, 100, n)]) for n in (7, 11)] + [rng.integers(5, 100, 5)]
    return ids, [np.array([26, 30]), np.array([25, 28, 34]), np.array([4])]


def alone(model: StepModel) -> np.ndarray:
    found = []
    for ids, places in zip(*solutions(), strict=True):
        row = torch.tensor(ids)[None]
        with torch.no_grad():
            found.append(model(row, torch.ones_like(row), places=torch.tensor(places)).numpy())
    return np.concatenate(found)


def together(model: StepModel, layout) -> np.ndarray:
    batch = step_batch(*solutions(), layout=layout, pad_id=0)
    with torch.no_grad():
        return model(**{name: torch.from_numpy(values) for name, values in batch.inputs.items()}).numpy()


def test_every_layout_gives_a_step_the_same_logit(base):
    model = build_step_model(ModelSettings(base=base), seed=1)
    wanted = alone(model)
    assert wanted.dtype == np.float32
    assert len(wanted) == 6
    assert len(set(wanted.round(4))) == 6
    np.testing.assert_allclose(together(model, "padded"), wanted, atol=1e-5)
    assert enable_packing(model, solutions()[0]) is None
    np.testing.assert_allclose(together(model, "separate"), wanted, atol=1e-5)
    if model.is_decoder:
        np.testing.assert_allclose(together(model, "shared"), wanted, atol=1e-5)


def test_left_padding_changes_nothing(base):
    model = build_step_model(ModelSettings(base=base), seed=1)
    ids, places = solutions()
    width = max(map(len, ids))
    rows, mask = np.zeros((3, width), np.int64), np.zeros((3, width), np.int64)
    flat = []
    for number, (each, own) in enumerate(zip(ids, places, strict=True)):
        first = width - len(each)
        rows[number, first:], mask[number, first:] = each, 1
        flat.append(number * width + first + own)
    with torch.no_grad():
        found = model(*map(torch.from_numpy, (rows, mask)), places=torch.from_numpy(np.concatenate(flat)))
        last = model(*map(torch.from_numpy, (rows, mask)))
    np.testing.assert_allclose(found.numpy(), alone(model), atol=1e-5)
    assert len(last) == 3
    assert last[2].item() == pytest.approx(found[-1].item(), abs=1e-5)


def test_plain_transformers_gives_the_same_probabilities(base, tmp_path):
    """TRL's convention: the softmax of two labels at the step's place gives label 1 the step's probability."""
    model = build_step_model(ModelSettings(base=base), seed=1)
    save_step_model(model, load_tokenizer(base), tmp_path)

    plain = AutoModelForTokenClassification.from_pretrained(tmp_path).eval()
    assert plain.config.num_labels == 2
    assert plain.config.id2label == {0: "wrong", 1: "right"}
    found = []
    for ids, places in zip(*solutions(), strict=True):
        with torch.no_grad():
            logits = plain(input_ids=torch.tensor(ids)[None]).logits[0, torch.tensor(places)]
        found.append(logits.softmax(-1)[:, 1].numpy())
    expected = 1 / (1 + np.exp(-alone(model)))
    np.testing.assert_allclose(np.concatenate(found), expected, atol=1e-5)
    loaded = load_step_checkpoint(tmp_path)
    np.testing.assert_allclose(alone(loaded.model), alone(model), atol=1e-6)
    assert loaded.tokenizer.chat_template == load_tokenizer(base).chat_template


def test_a_decoder_is_told_by_its_states(base):
    assert build_step_model(ModelSettings(base=base), seed=0).is_decoder == ("decoder" in Path(base).name)
    # Its token classifier has the head of an encoder.
    gpt2 = GPT2ForTokenClassification(GPT2Config(vocab_size=50, n_embd=16, n_layer=1, n_head=2, num_labels=2))
    assert StepModel(gpt2).is_decoder


def test_the_seed_alone_decides_the_new_head(base):
    first, again, other = (build_step_model(ModelSettings(base=base), seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first.output_layer.weight, again.output_layer.weight)
    assert not torch.equal(first.output_layer.weight, other.output_layer.weight)


@pytest.mark.parametrize("trainable", ["head", "last_blocks", "lora"])
def test_what_is_trained(decoder_base, tmp_path, trainable):
    model = build_step_model(ModelSettings(base=decoder_base, trainable=trainable, blocks=1, lora_rank=2), seed=0)
    trained, everything = count_parameters(model)
    assert 0 < trained < everything
    if trainable == "head":
        assert trained == 2 * model.output_layer.in_features + 2
    save_step_model(model, load_tokenizer(decoder_base), tmp_path)
    np.testing.assert_allclose(alone(load_step_checkpoint(tmp_path).model), alone(model), atol=1e-5)


def test_what_is_no_step_model(tiny_reward_model, decoder_base, tiny):
    with pytest.raises(ModelError, match="not a step model"):
        load_step_checkpoint(tiny_reward_model)
    with pytest.raises(ModelError, match="not a step model"):
        load_step_checkpoint(decoder_base)
    with pytest.raises(ModelError, match="another number of labels"):
        StepModel(tiny.llama())
    with pytest.raises(SettingsError, match=r"model.pooling.*takes no other pooling"):
        build_step_model(ModelSettings(base=decoder_base, pooling="mean"), seed=0)
    with pytest.raises(ModelError, match="nothing to score"):
        build_step_model(ModelSettings(base=decoder_base), seed=0)()


def test_a_missing_step_head_raises(decoder_base, tmp_path):
    from safetensors.torch import load_file, save_file

    save_step_model(build_step_model(ModelSettings(base=decoder_base), seed=0), load_tokenizer(decoder_base), tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["score.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"weights are missing.*score.weight"):
        load_step_checkpoint(tmp_path)


def test_the_head_runs_in_float32(decoder_base):
    model = build_step_model(ModelSettings(base=decoder_base), seed=0)
    with torch.autocast("cpu", torch.bfloat16):
        states = torch.tensor([[1.0] * model.output_layer.in_features])
        assert model(states=states).dtype == torch.float32
        close = model(states=torch.cat([states, states + 1e-4]))
    assert close[0] != close[1]
