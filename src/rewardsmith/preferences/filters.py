"""Optional judgements of a single response's text: does it end a sentence, is it obviously bad."""

from __future__ import annotations

import re
import unicodedata
import zlib

_ENDINGS = frozenset(".!?…。！？؟۔।｡‽")
_CLOSING = " \t\r\n\"'”’»)]}）」』】*_~"
_CODE_FENCE = "```"

_MIN_JUDGED_CHARS = 20
"""Shorter texts are never called bad: `42` and `👍` are answers."""
_MIN_TEXT_SHARE = 0.5
_MIN_REPETITION_WORDS = 30
_MIN_DISTINCT_TRIGRAMS = 0.25
_MIN_COMPRESSED_CHARS = 200
_MIN_COMPRESSED_SHARE = 0.1
"""zlib brings English prose to about .45 of its size, and a phrase said over and over to a few hundredths."""


def ends_sentence(text: str) -> bool:
    """Whether the last thing said is a sentence's end, a closed code block or an emoji."""
    stripped = text.rstrip()
    if stripped.endswith(_CODE_FENCE):
        return stripped.count(_CODE_FENCE) % 2 == 0
    bare = stripped.rstrip(_CLOSING)
    if not bare:
        return False
    return bare[-1] in _ENDINGS or unicodedata.category(bare[-1]) == "So"


def flaw(text: str) -> str | None:
    """Why a response is obviously bad (mostly repetition, or not text), or `None`."""
    visible = "".join(text.split())
    if len(visible) < _MIN_JUDGED_CHARS:
        return None
    share = sum(map(_is_text, visible)) / len(visible)
    if share < _MIN_TEXT_SHARE:
        return f"only {share:.0%} of its characters are letters, digits or common punctuation"
    words = re.findall(r"\w+", text.lower())
    trigrams = list(zip(words, words[1:], words[2:], strict=False))
    if len(words) >= _MIN_REPETITION_WORDS and len(set(trigrams)) < _MIN_DISTINCT_TRIGRAMS * len(trigrams):
        return f"{len(set(trigrams))} distinct among {len(trigrams)} word 3-grams"
    raw = visible.encode("utf-8", "surrogatepass")
    if len(visible) >= _MIN_COMPRESSED_CHARS and len(zlib.compress(raw)) < _MIN_COMPRESSED_SHARE * len(raw):
        return f"mostly repetition: {len(raw)} bytes compress to {len(zlib.compress(raw))}"
    return None


def _is_text(character: str) -> bool:
    return character.isalnum() or character in ".,;:!?'\"-()" or unicodedata.category(character)[0] == "M"
