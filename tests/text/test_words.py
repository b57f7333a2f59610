"""Words put together give the ids of the whole text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from rewardsmith.text.words import WordMemo, cuts_at_words

ALPHABET = " \n\t\u00a0\u001c\u2028\u3000\u200b'sabtreD12.,!?é你好\u0301😀-_"


def trained(*before: pre_tokenizers.PreTokenizer, **options: bool) -> Tokenizer:
    backend = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(**{"add_prefix_space": False, **options})
    backend.pre_tokenizer = pre_tokenizers.Sequence([*before, byte_level]) if before else byte_level
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    backend.train_from_iterator(
        ["the cat's 12 hats, the dog's 1234 bats. \n\n  so is it!" * 3, "e\u0301 你好 !? --"], trainer
    )
    return backend


def ids_of(backend: Tokenizer, texts) -> list[np.ndarray]:
    return [np.array(e.ids, np.int32) for e in backend.encode_batch_fast(list(texts), add_special_tokens=False)]


PLAIN, DIGITS = trained(), trained(pre_tokenizers.Digits(individual_digits=True))


@pytest.mark.parametrize("backend", [PLAIN, DIGITS])
@given(texts=st.lists(st.text(ALPHABET, max_size=20), max_size=6))
def test_same_ids_as_the_whole_text(backend, texts):
    assert cuts_at_words(backend)
    found = WordMemo(lambda words: ids_of(backend, words)).encode(texts)
    assert [ids.tolist() for ids in found] == [ids.tolist() for ids in ids_of(backend, texts)]


def test_each_word_is_tokenised_once():
    asked: list[str] = []

    def tokenise(words):
        asked.extend(words)
        return ids_of(PLAIN, words)

    memo = WordMemo(tokenise)
    memo.encode(["the cat the cat", "cat the"])
    memo.encode(["the the cat"])
    assert sorted(asked) == [" cat", " the", "cat", "the"]


def test_others_are_not_cut():
    normalised = trained()
    normalised.normalizer = normalizers.NFKC()
    split = trained(pre_tokenizers.Metaspace())
    prefixed, unsplit = trained(add_prefix_space=True), trained(use_regex=False)
    pieces = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
    assert not any(map(cuts_at_words, (normalised, split, prefixed, unsplit, pieces)))
