"""Building on a base, and loading what must be whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaForTokenClassification

from rewardsmith.core.errors import ModelError, SettingsError
from rewardsmith.models.checkpoint import save
from rewardsmith.models.load import build, load_checkpoint
from rewardsmith.models.settings import ModelSettings

IDS = torch.tensor([[5, 6, 7], [8, 9, 10]])


def drop_weights(folder: Path, part: str) -> None:
    """Rewrite a folder's weights without those whose names contain `part`."""
    path = next(folder.glob("*.safetensors"))
    kept = {name: tensor for name, tensor in load_file(path).items() if part not in name}
    save_file(kept, path, metadata={"format": "pt"})


@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_a_build_depends_on_its_seed_alone(tiny: Any, tmp_path: Path, kind: str) -> None:
    base = tiny.save_base(tmp_path, kind, pooler=False)
    torch.manual_seed(99)
    before = torch.get_rng_state()
    first = build(ModelSettings(base=base), seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    again, other = build(ModelSettings(base=base), seed=1), build(ModelSettings(base=base), seed=2)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.output_layer.weight, other.output_layer.weight)


def test_the_bases_weights_are_kept(tiny: Any, tmp_path: Path) -> None:
    base = tiny.save_base(tmp_path, "encoder")
    model = build(ModelSettings(base=base), seed=1)
    state = load_file(tmp_path / "model.safetensors")
    assert torch.equal(model.network.bert.pooler.dense.weight, state["pooler.dense.weight"])  # type: ignore[union-attr]
    assert model.new_modules == ("classifier",)


def test_a_build_has_one_output_a_pad_and_no_dropout(tiny: Any, tmp_path: Path) -> None:
    config = build(ModelSettings(base=tiny.save_base(tmp_path, "encoder")), seed=1).config
    assert (config.num_labels, config.problem_type, config.pad_token_id) == (1, "regression", 0)
    assert config.hidden_dropout_prob == config.attention_probs_dropout_prob == 0.0
    dropped = build(ModelSettings(base=str(tmp_path), dropout=0.25), seed=1)
    assert dropped.config.hidden_dropout_prob == 0.25


@pytest.mark.parametrize("kind", ["decoder", "encoder"])
@pytest.mark.parametrize("trainable", ["all", "lora"])
def test_a_kept_head_begins_with_the_bases_rewards(tiny: Any, tmp_path: Path, kind: str, trainable: Any) -> None:
    base = tiny.save_base(tmp_path / "base", kind)
    first = build(ModelSettings(base=base, pooling="mean", head="mlp"), seed=1)
    tokenizer = tiny.decoder_tokenizer() if kind == "decoder" else tiny.encoder_tokenizer()
    save(first, tokenizer, tmp_path / "model", base=base)
    asked = ModelSettings(base=str(tmp_path / "model"), keep_head=True, head="mlp", trainable=trainable)
    mask = torch.ones_like(IDS)
    with torch.inference_mode():
        wanted = first(IDS, mask)
        torch.testing.assert_close(build(asked, seed=2)(IDS, mask), wanted)
        anew = asked.model_copy(update={"keep_head": False, "pooling": "mean"})
        assert not torch.allclose(build(anew, seed=2)(IDS, mask), wanted)


def test_a_head_that_is_not_there_or_read_otherwise_is_not_kept(tiny: Any, tmp_path: Path) -> None:
    base = tiny.save_base(tmp_path / "base", "decoder")
    with pytest.raises(ModelError, match="weights are missing"):
        build(ModelSettings(base=base, keep_head=True), seed=0)
    save(build(ModelSettings(base=base), seed=1), tiny.decoder_tokenizer(), tmp_path / "model", base=base)
    for changes in ({"pooling": "mean"}, {"head": "mlp"}):
        with pytest.raises(SettingsError, match="read in another way"):
            build(ModelSettings(base=str(tmp_path / "model"), keep_head=True, **changes), seed=0)


def test_a_base_that_lacks_weights_is_refused(tiny: Any, tmp_path: Path) -> None:
    base = tiny.save_base(tmp_path, "decoder")
    drop_weights(tmp_path, "layers.1.mlp")
    with pytest.raises(ModelError, match=r"layers\.1\.mlp"):
        build(ModelSettings(base=base), seed=0)


@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_a_checkpoint_of_another_tool_loads(tiny: Any, tmp_path: Path, kind: str) -> None:
    network = tiny.llama() if kind == "decoder" else tiny.bert()
    network.save_pretrained(tmp_path)
    (tiny.decoder_tokenizer() if kind == "decoder" else tiny.encoder_tokenizer()).save_pretrained(tmp_path)
    loaded = load_checkpoint(tmp_path)
    assert loaded.card.portable
    assert loaded.card.template_digest is None
    with torch.inference_mode():
        wanted = network(IDS, attention_mask=torch.ones_like(IDS)).logits.squeeze(-1)
        assert torch.allclose(loaded.model(IDS, torch.ones_like(IDS)), wanted, atol=1e-6)


@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_a_missing_head_raises(tiny: Any, tmp_path: Path, kind: str) -> None:
    network, head = (tiny.llama(), "score") if kind == "decoder" else (tiny.bert(), "classifier")
    network.save_pretrained(tmp_path)
    drop_weights(tmp_path, head)
    with pytest.raises(ModelError, match=f"weights are missing.*{head}"):
        load_checkpoint(tmp_path)


def test_two_outputs_raise(tiny: Any, tmp_path: Path) -> None:
    tiny.llama(num_labels=2).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"wanted num_labels 1.*got num_labels 2"):
        load_checkpoint(tmp_path)


def test_a_base_is_no_reward_model(tiny: Any, tmp_path: Path) -> None:
    base = tiny.save_base(tmp_path, "decoder")
    with pytest.raises(ModelError, match="LlamaForCausalLM"):
        load_checkpoint(base)


def test_a_token_classifier_is_no_reward_model(tiny: Any, tmp_path: Path) -> None:
    LlamaForTokenClassification(tiny.llama_config()).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="TokenClassification"):
        load_checkpoint(tmp_path)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot load"):
        load_checkpoint(tmp_path)


def test_an_adapter_without_its_head_raises(tiny: Any, tmp_path: Path) -> None:
    base = tiny.save_base(tmp_path / "base", "decoder")
    model = build(ModelSettings(base=base, trainable="lora"), seed=0)
    save(model, tiny.decoder_tokenizer(), tmp_path / "rm", base=base)
    shutil.copytree(tmp_path / "rm" / "adapter", tmp_path / "bad" / "adapter")
    drop_weights(tmp_path / "bad" / "adapter", "score")
    with pytest.raises(ModelError, match="adapter has no reward head"):
        load_checkpoint(tmp_path / "bad" / "adapter")


BOTH_WAYS = """
import sys
from pathlib import Path
from rewardsmith.models.checkpoint import save
from rewardsmith.models.load import load_checkpoint
loaded = load_checkpoint(sys.argv[1])
save(loaded.model, loaded.tokenizer, Path(sys.argv[2]))
"""


def test_nothing_is_printed_while_a_model_is_loaded_and_saved(tiny_reward_model: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", BOTH_WAYS, str(tiny_reward_model), str(tmp_path / "rm")]
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_DISABLE_PROGRESS_BARS"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert result.stdout == result.stderr == ""


FROM_CACHE = """
import torch
from rewardsmith.models.load import load_checkpoint
loaded = load_checkpoint("somebody/model")
ids = torch.tensor([[5, 6, 7]])
with torch.inference_mode():
    print(loaded.model.pooling, loaded.digest, loaded.model(ids, torch.ones_like(ids)).item())
"""


def test_a_hub_id_is_read_with_its_card(tiny: Any, tmp_path: Path) -> None:
    # The layout of the hub's cache, so that nothing needs to be fetched; its place is read at import.
    base = tiny.save_base(tmp_path / "base", "encoder")
    model = build(ModelSettings(base=base, pooling="mean", head="mlp"), seed=0)
    repository = tmp_path / "hub" / "models--somebody--model"
    snapshot = repository / "snapshots" / ("a" * 40)
    save(model, tiny.encoder_tokenizer(), snapshot, base=base)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    run = subprocess.run(
        [sys.executable, "-c", FROM_CACHE], env=environment, capture_output=True, text=True, check=True
    )
    pooling, digest, reward = run.stdout.split()
    with torch.inference_mode():
        wanted = model(IDS[:1], torch.ones_like(IDS[:1])).item()
    assert pooling == "mean"
    assert digest == load_checkpoint(snapshot).digest
    assert float(reward) == pytest.approx(wanted, abs=1e-5)
