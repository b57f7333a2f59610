"""Tokenising in pieces equals tokenising whole texts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken

from rewardsmith.core.errors import DataError
from rewardsmith.text import segments
from rewardsmith.text.segments import SegmentTokenizer

PARTS = ["<s>", "</s>", "<|start|>", "<mask>", " ", "a", "Hello", "\n", "  b", "é", "<", "s>", "[SEP]", "[CLS]", ""]
TEXTS = st.lists(st.lists(st.sampled_from(PARTS), max_size=12).map("".join), max_size=6)


def tokenizers(tiny: Any) -> dict[str, Any]:
    swallows = tiny.decoder_tokenizer()
    swallows.add_tokens([AddedToken("<mask>", lstrip=True, rstrip=True, special=True)], special_tokens=True)
    return {
        "decoder": tiny.decoder_tokenizer(),
        "encoder": tiny.encoder_tokenizer(),
        "adds-bos": tiny.decoder_tokenizer(adds_bos=True),
        "sentencepiece": tiny.sentencepiece_tokenizer(),
        "swallows-blanks": swallows,
    }


@pytest.mark.parametrize("kind", ["decoder", "encoder", "adds-bos", "sentencepiece", "swallows-blanks"])
def test_equal_to_the_tokenizer_itself(tiny: Any, kind: str) -> None:
    tokenizer = tokenizers(tiny)[kind]
    cut = SegmentTokenizer(tokenizer)

    @given(texts=TEXTS)
    def check(texts: list[str]) -> None:
        wanted = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        assert [ids.tolist() for ids in cut.encode(texts)] == wanted

    check()


def test_who_is_cut(tiny: Any) -> None:
    kinds = tokenizers(tiny)
    assert SegmentTokenizer(kinds["decoder"]).cuts_texts
    assert SegmentTokenizer(kinds["encoder"]).cuts_texts
    assert not SegmentTokenizer(kinds["sentencepiece"]).cuts_texts


def test_a_tokenizers_own_truncation_and_padding_are_ignored(tiny: Any) -> None:
    tokenizer = tiny.decoder_tokenizer()
    tokenizer.backend_tokenizer.enable_truncation(3)
    tokenizer.backend_tokenizer.enable_padding(length=20)
    assert len(SegmentTokenizer(tokenizer).encode(["abcdefgh"])[0]) == 8
    assert tokenizer.backend_tokenizer.truncation is not None


def test_the_memo_is_bounded(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "_MAX_MEMO_CHARS", 20)
    cut = SegmentTokenizer(tiny.decoder_tokenizer())
    for number in range(50):
        assert len(cut.encode([f"<s>text {number:03d}</s>"])[0]) == 10
    assert sum(map(len, cut._memo)) == cut._memo_chars <= 20
    # "text 049" is the newest; the oldest went first.
    assert list(cut._memo) == ["text 048", "text 049"]


def test_half_a_surrogate_pair_is_a_data_error(tiny: Any) -> None:
    with pytest.raises(DataError, match="Unicode"):
        SegmentTokenizer(tiny.decoder_tokenizer()).encode(["a\ud800b"])
