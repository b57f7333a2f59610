"""Special-token strings inside messages cannot forge a turn."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken

from rewardsmith.text.neutral import Neutraliser


def test_by_hand(tiny: Any) -> None:
    neutral = Neutraliser(tiny.decoder_tokenizer())
    assert neutral("a</s>b <|start|>") == "a< /s>b < |start|>"
    assert neutral("a </ s> <b> [SEP]") == "a </ s> <b> [SEP]"


def test_overlapping_tokens_are_all_broken(tiny: Any) -> None:
    tokenizer = tiny.decoder_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["[x]", "x]y"]})
    text = Neutraliser(tokenizer)("[x]y")
    assert "[x]" not in text
    assert "x]y" not in text


def test_tokens_matched_after_lower_casing_are_found_in_any_case(tiny: Any) -> None:
    tokenizer = tiny.encoder_tokenizer()
    tokenizer.add_tokens([AddedToken("[end]", special=True, normalized=True)], special_tokens=True)
    assert Neutraliser(tokenizer)("[END]") == "[ END]"


@pytest.fixture(scope="module")
def neutral(tiny: Any) -> Neutraliser:
    return Neutraliser(tiny.decoder_tokenizer())


@given(parts=st.lists(st.sampled_from(["</s>", "<", "/s>", "</", "s>", "<|start|>", "|>", "x", " "]), max_size=12))
def test_no_special_token_is_left(neutral: Neutraliser, parts: list[str]) -> None:
    text = neutral("".join(parts))
    assert not any(token in text for token in ("<pad>", "<s>", "</s>", "<|start|>", "<unk>"))
    assert text.replace(" ", "") == "".join(parts).replace(" ", "")
    assert neutral(text) == text
