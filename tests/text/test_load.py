"""Loaded tokenizers: the pad token, copies, errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rewardsmith.core.errors import ModelError
from rewardsmith.text.load import load_tokenizer, prepared


def test_a_pad_that_is_the_eos_is_replaced(tiny: Any) -> None:
    tokenizer = tiny.decoder_tokenizer(pad="</s>")
    ready = prepared(tokenizer)
    assert ready.pad_token == "<pad>"
    assert ready.pad_token_id == 0
    assert ready.eos_token == "</s>"


def test_a_missing_pad_is_set(tiny: Any) -> None:
    assert prepared(tiny.decoder_tokenizer(pad=None)).pad_token == "<pad>"


def test_a_pad_of_its_own_stays(tiny: Any) -> None:
    assert prepared(tiny.decoder_tokenizer(pad="<unk>")).pad_token == "<unk>"


def test_nothing_is_mutated(tiny: Any) -> None:
    tokenizer = tiny.decoder_tokenizer(pad="</s>", template=None)
    before = tokenizer.backend_tokenizer.to_str()
    prepared(tokenizer)
    assert tokenizer.pad_token == "</s>"
    assert tokenizer.chat_template is None
    assert tokenizer.backend_tokenizer.to_str() == before


def test_the_round_trip_keeps_template_and_pad(tiny: Any, tmp_path: Path) -> None:
    tiny.encoder_tokenizer().save_pretrained(tmp_path / "raw")
    ready = load_tokenizer(tmp_path / "raw")
    ready.save_pretrained(tmp_path / "ready")
    again = load_tokenizer(tmp_path / "ready")
    assert again.chat_template == ready.chat_template
    assert again.pad_token == "[PAD]"


def test_a_folder_without_a_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        load_tokenizer(tmp_path)
    assert str(tmp_path) in str(caught.value)
