"""Training prompts that nearly repeat a held-out one, found without comparing every pair and without missing any.

Prefix filtering (Chaudhuri et al. 2006; Bayardo et al. 2007, "Scaling up all pairs similarity search"): order all
shingles in any fixed way. If two sets have Jaccard similarity of at least t, then among the first
|x| − ⌈t·|x|⌉ + 1 shingles of each there is a common one. So only those are indexed and looked up. With the rarest
first, hardly any unrelated prompt is proposed. Unlike MinHash this proposes every true pair, so an overlap of 0 can
be promised; what is proposed is then compared exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Int32, Int64, UInt32, UInt64

from rewardsmith.preferences.shingles import hash_shingles, shingles

_RARITY_BUCKETS = 1 << 18

Texts = Callable[[], Iterator[Sequence[str]]]
"""Gives the texts in batches, from the start at each call."""


@dataclass(frozen=True, slots=True)
class PromptIndex:
    """The rarest shingles of each indexed prompt.

    Attributes:
        similarity: Jaccard similarity that the index is for.
        rarity: Prompts per hash bucket of shingles; orders the shingles, so collisions cost time only.
        tokens: Indexed shingles, ascending.
        owners: The prompt (by its place in the input) that each of `tokens` comes from.
    """

    similarity: float
    rarity: UInt32[np.ndarray, " bucket"]
    tokens: UInt64[np.ndarray, " entry"]
    owners: Int32[np.ndarray, " entry"]


def build_index(texts: Texts, similarity: float) -> PromptIndex:
    """Index prompts for `search`. Memory: 12 bytes for each of about (1 − similarity) of a prompt's shingles."""
    rarity = np.zeros(_RARITY_BUCKETS, np.uint32)
    for batch in texts():
        hashes, _ = hash_shingles(batch)
        rarity += np.bincount(_bucket(hashes), minlength=_RARITY_BUCKETS).astype(np.uint32)
    tokens, owners, seen = [], [], 0
    for batch in texts():
        prefix, owner = _prefixes(batch, rarity, similarity=similarity)
        tokens.append(prefix)
        owners.append((owner + seen).astype(np.int32))
        seen += len(batch)
    all_tokens = np.concatenate([np.zeros(0, np.uint64), *tokens])
    all_owners = np.concatenate([np.zeros(0, np.int32), *owners])
    order = np.argsort(all_tokens, kind="stable")
    return PromptIndex(similarity, rarity, all_tokens[order], all_owners[order])


def search(
    index: PromptIndex, texts: Iterable[Sequence[str]], *, indexed_text: Callable[[int], str]
) -> Iterator[tuple[int, int, float]]:
    """For each text that nearly repeats an indexed one: its place, the place of the first such one, the similarity.

    Args:
        indexed_text: The text of an indexed prompt, by its place.
    """
    seen = 0
    for batch in texts:
        for place, proposed in _proposals(index, batch):
            match = _first_match(batch[place], proposed, index.similarity, indexed_text=indexed_text)
            if match is not None:
                yield seen + place, *match
        seen += len(batch)


def _proposals(index: PromptIndex, batch: Sequence[str]) -> Iterator[tuple[int, Int64[np.ndarray, " proposed"]]]:
    tokens, owners = _prefixes(batch, index.rarity, similarity=index.similarity)
    low = np.searchsorted(index.tokens, tokens, side="left")
    high = np.searchsorted(index.tokens, tokens, side="right")
    hit: Bool[np.ndarray, " token"] = high > low
    low, high, owners = low[hit], high[hit], owners[hit]
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    for start, end in pairwise([*starts, len(owners)]):
        places = [index.owners[low[i] : high[i]] for i in range(start, end)]
        yield int(owners[start]), np.unique(np.concatenate(places)).astype(np.int64)


def _first_match(
    text: str, proposed: Iterable[int], similarity: float, *, indexed_text: Callable[[int], str]
) -> tuple[int, float] | None:
    own = shingles(text)
    for place in proposed:
        other = shingles(indexed_text(int(place)))
        if min(len(own), len(other)) < similarity * max(len(own), len(other)):
            continue
        value = len(own & other) / len(own | other)
        if value >= similarity:
            return int(place), value
    return None


def _prefixes(
    batch: Sequence[str], rarity: UInt32[np.ndarray, " bucket"], *, similarity: float
) -> tuple[UInt64[np.ndarray, " token"], Int64[np.ndarray, " token"]]:
    """The rarest |x| − ⌈t·|x|⌉ + 1 shingles of each text, and the text that each belongs to."""
    hashes, offsets = hash_shingles(batch)
    sizes = np.diff(offsets)
    owners = np.repeat(np.arange(len(batch)), sizes)
    order = np.lexsort((hashes, rarity[_bucket(hashes)], owners))
    # The small number keeps 0.8 · 5 = 4.000000000000001 from losing a shingle; a longer prefix is always safe.
    kept = sizes - np.array([math.ceil(similarity * size - 1e-9) for size in sizes], np.int64) + 1
    rank = np.arange(len(hashes)) - offsets[owners]
    inside = rank < kept[owners]
    return hashes[order][inside], owners[inside]


def _bucket(hashes: UInt64[np.ndarray, " token"]) -> Int64[np.ndarray, " token"]:
    return (hashes & np.uint64(_RARITY_BUCKETS - 1)).astype(np.int64)
