"""Prompts as sets of word 3-grams: what "nearly the same prompt" is measured by.

Jaccard similarity of two prompts: |A ∩ B| / |A ∪ B| of their sets of three words in a row. A prompt with fewer
than three words has no such set; it is compared by its normalised text alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from jaxtyping import Int64, UInt64

from rewardsmith.core.conversation import Conversation

SHINGLE_WORDS = 3

# Chinese, Japanese and Thai write no spaces, so there each character counts as a word.
_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
_EDGE_PUNCTUATION = " .,;:!?…\"'“”‘’()[]。，！？：；"
# Odd multipliers of a polynomial hash; odd so that multiplication modulo 2^64 loses nothing.
_MULTIPLIERS = tuple(np.uint64(value) for value in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))


def prompt_text(prompt: Conversation) -> str:
    """The text of a whole prompt, one turn a line, without the roles."""
    return "\n".join(content for _, content in prompt)


def normalise(text: str) -> str:
    """Case, spacing and punctuation at the ends removed; texts equal after this count as the same prompt."""
    collapsed = " ".join(text.casefold().split())
    return collapsed.strip(_EDGE_PUNCTUATION) or collapsed


def words(text: str) -> list[str]:
    """Runs of letters and digits, case folded."""
    return _WORD.findall(text.casefold())


def shingles(text: str) -> set[tuple[str, ...]]:
    """The set of three words in a row; empty where there are fewer than three."""
    found = words(text)
    return set(zip(found, found[1:], found[2:], strict=False))


def jaccard(first: str, second: str) -> float:
    """Exact similarity of two texts; of texts without shingles 1 where their normalised forms are equal, else 0."""
    a, b = shingles(first), shingles(second)
    if not a and not b:
        return float(normalise(first) == normalise(second))
    return len(a & b) / len(a | b)


def hash_shingles(texts: Sequence[str]) -> tuple[UInt64[np.ndarray, " shingle"], Int64[np.ndarray, " text_plus_1"]]:
    """64-bit hashes of each text's distinct shingles, text after text, ascending within each.

    Returns:
        The hashes, and the offsets: text i owns `hashes[offsets[i]:offsets[i + 1]]`.
    """
    word_lists = [words(text) for text in texts]
    ids = np.array([_word_id(word) for found in word_lists for word in found], dtype=np.uint64)
    owners = np.repeat(np.arange(len(texts)), [len(found) for found in word_lists])
    if len(ids) < SHINGLE_WORDS:
        return np.zeros(0, np.uint64), np.zeros(len(texts) + 1, np.int64)
    first, second, third = _MULTIPLIERS
    hashes = ids[:-2] * first + ids[1:-1] * second + ids[2:] * third
    hashes ^= hashes >> np.uint64(29)
    inside = owners[:-2] == owners[2:]
    hashes, owners = hashes[inside], owners[:-2][inside]
    order = np.lexsort((hashes, owners))
    hashes, owners = hashes[order], owners[order]
    fresh = np.ones(len(hashes), bool)
    fresh[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    offsets = np.searchsorted(owners[fresh], np.arange(len(texts) + 1))
    return hashes[fresh], offsets.astype(np.int64)


@lru_cache(maxsize=1 << 16)
def _word_id(word: str) -> int:
    # Not Python's own hash: that one changes from process to process.
    return int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
