"""Tokenising word by word, for tokenizers that cut at every blank between words anyway."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice

import numpy as np
from jaxtyping import Int32
from tokenizers import Tokenizer

_MAX_WORDS = 100_000
# A single blank between two visible characters. Python calls a few more characters blank than Unicode does (the
# separators U+001C to U+001F), so there are cuts that this misses, and none too many.
_CUT = re.compile(r" (?=\S)(?<=\S )")

Tokenise = Callable[[Sequence[str]], Iterable[Int32[np.ndarray, " token"]]]


class WordMemo:
    """Token ids of texts, put together from those of their words; each distinct word is tokenised once.

    The ids equal those of the whole text only where `cuts_at_words` holds. At most 100,000 words are remembered.
    """

    def __init__(self, tokenise: Tokenise) -> None:
        self._tokenise = tokenise
        # The first word of a text has no blank in front of it, so it has ids of its own.
        self._first: dict[str, bytes] = {}
        self._later: dict[str, bytes] = {}

    def encode(self, texts: Sequence[str]) -> list[Int32[np.ndarray, " token"]]:
        """Token ids of each text; the arrays are read-only."""
        if len(self._first) + len(self._later) > _MAX_WORDS:
            self._first, self._later = {}, {}
        cut_texts = [_CUT.split(text) for text in texts]
        self._learn({words[0] for words in cut_texts}, self._first, "")
        self._learn(set(chain.from_iterable(islice(words, 1, None) for words in cut_texts)), self._later, " ")
        later = self._later.__getitem__
        return [
            np.frombuffer(self._first[words[0]] + b"".join(map(later, islice(words, 1, None))), np.int32)
            for words in cut_texts
        ]

    def _learn(self, words: set[str], memo: dict[str, bytes], blank: str) -> None:
        missing = sorted(words - memo.keys())
        for word, ids in zip(missing, self._tokenise([blank + word for word in missing]), strict=True):
            memo[word] = ids.astype(np.int32).tobytes()


def cuts_at_words(backend: Tokenizer) -> bool:
    """Whether a text may be cut in front of every single blank that stands between two visible characters.

    So it is for byte-level BPE with GPT-2's pattern, with or without digits apart (GPT-2, SmolLM2, Pythia and others):
    whatever matches up to the blank does so without looking past it, and the next match begins with the blank. A
    normaliser, dropout, or any other pre-tokenizer could look across, so those are not cut.
    """
    described = json.loads(backend.to_str())
    steps = described["pre_tokenizer"] or {}
    steps = steps["pretokenizers"] if steps.get("type") == "Sequence" else [steps]
    *before, last = steps or [{}]
    return (
        described["normalizer"] is None
        and described["model"]["type"] == "BPE"
        and not described["model"].get("dropout")
        and all(step.get("type") == "Digits" for step in before)
        and last.get("type") == "ByteLevel"
        and last.get("use_regex", True)
        and not last.get("add_prefix_space")
    )
