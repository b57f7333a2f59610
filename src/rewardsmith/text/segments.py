"""Tokenising texts piece by piece: the pieces between special tokens, each distinct one once."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int32
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerBase

from rewardsmith.core.errors import DataError
from rewardsmith.text.words import WordMemo, cuts_at_words

_MAX_MEMO_CHARS = 16_000_000
_MAX_PIECE_CHARS = 20_000
_PROBE_PIECES = ("user\nHello, wörld", " a  b", "", "\n\n", "x", "  ", "1 2\n", "don't")

Ids = Int32[np.ndarray, " token"]


class SegmentTokenizer:
    """Token ids of rendered texts, special tokens recognised, none added.

    A tokenizer cuts a text at its special tokens before anything else, so the ids of the text are those of the pieces
    in a row. Prompts, system messages and turn headers repeat, and their pieces are tokenised once (least recently
    used ones are forgotten beyond 16 million characters). Some tokenizers treat the start of a text unlike the start
    of a later piece (SentencePiece's leading blank): a probe at construction finds those, and whole texts are tokenised
    then. Special tokens that swallow blanks or need word boundaries are never cut at.

    Args:
        tokenizer: Fast tokenizer; its backend is copied, without truncation and padding, and never changed.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        backend = tokenizer.backend_tokenizer
        assert isinstance(backend, Tokenizer)
        self._backend = Tokenizer.from_str(backend.to_str())
        self._backend.no_truncation()
        self._backend.no_padding()
        self._special_ids, self._cut = _clean_tokens(tokenizer)
        self._memo: OrderedDict[str, Ids] = OrderedDict()
        self._memo_chars = 0
        # Added tokens that cannot be cut at could hold a blank, or match inside a word.
        is_clean = len(self._special_ids) == len(tokenizer.added_tokens_decoder)
        self._words = WordMemo(self._tokenise) if is_clean and cuts_at_words(self._backend) else None
        self.cuts_texts = self._cut is not None and self._probe()

    def encode(self, texts: Sequence[str]) -> list[Ids]:
        """The ids of each text, equal to those of `tokenizer(text, add_special_tokens=False)`."""
        if not self.cuts_texts:
            return self._tokenise(texts)
        return self._encode_cut(texts)

    def digest_source(self) -> str:
        """The backend's complete description, for a digest."""
        return self._backend.to_str()

    def _encode_cut(self, texts: Sequence[str]) -> list[Ids]:
        assert self._cut is not None
        cut_texts = [self._cut.split(text) for text in texts]
        known = self._lookup(cut_texts)
        return [_joined([known[piece] for piece in pieces if piece]) for pieces in cut_texts]

    def _lookup(self, cut_texts: Sequence[Sequence[str]]) -> dict[str, Ids]:
        """Ids of every piece; those that the memo lacks are tokenised together."""
        known: dict[str, Ids] = dict(self._special_ids)
        missing: dict[str, None] = {}
        for pieces in cut_texts:
            for piece in pieces:
                if piece in known or piece in missing or not piece:
                    continue
                ids = self._memo.get(piece)
                if ids is None:
                    missing[piece] = None
                else:
                    self._memo.move_to_end(piece)
                    known[piece] = ids
        tokenise = self._tokenise if self._words is None else self._words.encode
        for piece, ids in zip(missing, tokenise(list(missing)), strict=True):
            known[piece] = ids
            self._remember(piece, ids)
        return known

    def _remember(self, piece: str, ids: Ids) -> None:
        if len(piece) > _MAX_PIECE_CHARS:
            return
        self._memo[piece] = ids
        self._memo_chars += len(piece)
        while self._memo_chars > _MAX_MEMO_CHARS:
            forgotten, _ = self._memo.popitem(last=False)
            self._memo_chars -= len(forgotten)

    def _tokenise(self, texts: Sequence[str]) -> list[Ids]:
        try:
            encoded = self._backend.encode_batch_fast(list(texts), add_special_tokens=False)
        except TypeError as error:  # what the Rust side says about half a surrogate pair
            raise DataError(
                "a text is not valid Unicode",
                wanted="no lone surrogates",
                got=[ascii(text) for text in texts if _has_surrogate(text)][:1],
                fix="decode it with errors='replace'",
            ) from error
        return [np.array(encoding.ids, dtype=np.int32) for encoding in encoded]

    def _probe(self) -> bool:
        """Whether cutting gives the same ids as whole texts, on pieces around every kind of special token."""
        specials = list(self._special_ids)[:64]
        texts = [
            "".join(piece + special for piece in _PROBE_PIECES) + _PROBE_PIECES[turn % len(_PROBE_PIECES)]
            for turn, special in enumerate(specials)
        ]
        texts += [special + "b " + special + special + " c" for special in specials]
        whole = self._tokenise(texts)
        return all(np.array_equal(a, b) for a, b in zip(whole, self._encode_cut(texts), strict=True))


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _clean_tokens(tokenizer: PreTrainedTokenizerBase) -> tuple[dict[str, Ids], re.Pattern[str] | None]:
    """Added tokens that are matched exactly as written wherever they stand, and a pattern that cuts at them."""
    added = tokenizer.added_tokens_decoder
    exact = {
        token.content: number
        for number, token in added.items()
        if not (token.lstrip or token.rstrip or token.single_word or token.normalized)
    }
    others = [token.content for token in added.values() if token.content not in exact]
    # A token that is part of one of the others could be matched inside it.
    clean = {text: number for text, number in exact.items() if text and not any(text in other for other in others)}
    if not clean:
        return {}, None
    ids = {text: np.array([number], dtype=np.int32) for text, number in clean.items()}
    longest_first = sorted(clean, key=len, reverse=True)
    return ids, re.compile("(" + "|".join(map(re.escape, longest_first)) + ")")


def _joined(pieces: Sequence[Ids]) -> Ids:
    return np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int32)
