"""The digests of a preference by which duplicates, contradictions and splits are decided, and a compact table of them.

Some 54 bytes a preference are all that stays in memory of a data set while it is prepared.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b, sha256
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, UInt32, UInt64

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.preference import Preference
from rewardsmith.preferences.shingles import normalise, prompt_text

_COMPARED_RESPONSES = 8
"""8 responses have 28 pairs, which fit the 32 bits of `RowKey.wins`. Of more, 8 are looked at for contradictions."""


class RowKey(NamedTuple):
    """Digests of one preference; the order of its responses matters for none of them.

    Attributes:
        group: First 64 bits of sha256 of salt and group; its place in [0, 2^64) decides the split.
        prompt: Digest of the normalised prompt; 0 for an empty one.
        content: Digest of the prompt and the set of responses, without the label.
        label: Digest of which response was preferred to which, and how surely.
        wins: Bit p: in the p-th pair of responses (in the order of their digests) the first won.
        losses: Likewise, the second won. Ties set neither bit.
    """

    group: int
    prompt: int
    content: int
    label: int
    wins: int
    losses: int


def row_key(preference: Preference, salt: str) -> RowKey:
    """The digests of `preference`, with the split salted by `salt`."""
    responses = [_conversation_digest(response) for response in preference.responses]
    ranked = sorted(responses)
    content = blake2b(_conversation_digest(preference.prompt), digest_size=8)
    content.update(b"".join(ranked))
    labels = sorted(
        responses[pair.chosen] + responses[pair.rejected] + f"{pair.prob_chosen:.6f}{pair.tie:d}".encode()
        if pair.prob_chosen != 0.5
        else b"".join(sorted((responses[pair.chosen], responses[pair.rejected]))) + b"tie"
        for pair in preference.pairs
    )
    normal = normalise(prompt_text(preference.prompt))
    wins, losses = _orientation(preference, responses, ranked)
    return RowKey(
        group=group_hash(preference.group, salt),
        prompt=_number(blake2b(normal.encode(), digest_size=8).digest()) if normal else 0,
        content=_number(content.digest()),
        label=_number(blake2b(b"|".join(labels), digest_size=8).digest()),
        wins=wins,
        losses=losses,
    )


def group_hash(group: str, salt: str) -> int:
    """64 bits of sha256 of the salt and the group."""
    return int.from_bytes(sha256(f"{salt}\0{group}".encode("utf-8", "surrogatepass")).digest()[:8], "big")


class KeyColumns:
    """Keys and places of the preferences read so far, in arrays."""

    def __init__(self) -> None:
        self._digests = array("Q")
        self._orientations = array("I")
        self._places = array("i")
        self._sources: dict[str, int] = {}
        self._files: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        return len(self._digests) // 4

    def append(self, key: RowKey, *, source: str, origin: str, file: str, line: int) -> None:
        """Add a preference; `source` is its own, `origin` names the settings' source that its file belongs to."""
        self._digests.extend(key[:4])
        self._orientations.extend(key[4:])
        source_code = self._sources.setdefault(source, len(self._sources))
        file_code = self._files.setdefault((origin, file), len(self._files))
        self._places.extend((source_code, file_code, line))

    def table(self) -> KeyTable:
        """All of them."""
        return KeyTable(
            digests=np.frombuffer(self._digests.tobytes(), np.uint64).reshape(-1, 4),
            orientations=np.frombuffer(self._orientations.tobytes(), np.uint32).reshape(-1, 2),
            places=np.frombuffer(self._places.tobytes(), np.int32).reshape(-1, 3),
            sources=tuple(self._sources),
            origins=tuple(origin for origin, _ in self._files),
            files=tuple(file for _, file in self._files),
        )


@dataclass(frozen=True)
class KeyTable:
    """The digests of all preferences, row by row in reading order, and where each stood."""

    digests: UInt64[np.ndarray, "row 4"]
    orientations: UInt32[np.ndarray, "row 2"]
    places: Int32[np.ndarray, "row 3"]
    sources: tuple[str, ...]
    origins: tuple[str, ...]
    files: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.digests)

    @property
    def group(self) -> UInt64[np.ndarray, " row"]:
        """See `RowKey.group`; likewise the next five."""
        return self.digests[:, 0]

    @property
    def prompt(self) -> UInt64[np.ndarray, " row"]:
        return self.digests[:, 1]

    @property
    def content(self) -> UInt64[np.ndarray, " row"]:
        return self.digests[:, 2]

    @property
    def label(self) -> UInt64[np.ndarray, " row"]:
        return self.digests[:, 3]

    @property
    def wins(self) -> UInt32[np.ndarray, " row"]:
        return self.orientations[:, 0]

    @property
    def losses(self) -> UInt32[np.ndarray, " row"]:
        return self.orientations[:, 1]

    @property
    def source(self) -> Int32[np.ndarray, " row"]:
        """Index into `sources`."""
        return self.places[:, 0]

    @cached_property
    def lottery(self) -> UInt64[np.ndarray, " row"]:
        """A number per row, from its content alone, by which subsampling chooses (the smallest stay)."""
        mixed = (self.content ^ (self.label >> np.uint64(1))) * np.uint64(0x9E3779B97F4A7C15)
        return mixed ^ (mixed >> np.uint64(32))

    @property
    def origin(self) -> np.ndarray:
        """The settings' source of each row: an object array of shared strings."""
        return np.array([*self.origins, ""], dtype=object)[self.places[:, 1]]

    def place(self, row: int) -> str:
        """`file:line` of a row."""
        return f"{self.files[self.places[row, 1]]}:{self.places[row, 2]}"


def _conversation_digest(conversation: Conversation) -> bytes:
    # The lengths keep ("a", "bc") and ("ab", "c") apart.
    parts = [f"{role}:{len(text)}:{text}" for role, content in conversation for text in (content.strip(),)]
    return blake2b("\n".join(parts).encode(), digest_size=8).digest()


def _orientation(preference: Preference, responses: list[bytes], ranked: list[bytes]) -> tuple[int, int]:
    compared = ranked[:_COMPARED_RESPONSES]
    bit = {pair: position for position, pair in enumerate(combinations(compared, 2))}
    wins = losses = 0
    for pair in preference.pairs:
        if pair.tie or pair.prob_chosen == 0.5:
            continue
        better, worse = responses[pair.chosen], responses[pair.rejected]
        if pair.prob_chosen < 0.5:
            better, worse = worse, better
        if (better, worse) in bit:
            wins |= 1 << bit[better, worse]
        elif (worse, better) in bit:
            losses |= 1 << bit[worse, better]
    return wins, losses


def _number(digest: bytes) -> int:
    return int.from_bytes(digest, "little")
