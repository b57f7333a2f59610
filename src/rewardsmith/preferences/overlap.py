"""The proof that nothing of the held-out side stands in the training side, by other means than those that removed it.

The split was made with digests and an index of rare shingles; here names and texts themselves are compared, and
similar prompts are found by multiplying the two sides' matrices of shingles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from zlib import crc32

import numpy as np
from scipy.sparse import csr_matrix, vstack

from rewardsmith.core.errors import DataError
from rewardsmith.core.settings import Settings
from rewardsmith.preferences.shingles import jaccard, normalise, prompt_text, shingles
from rewardsmith.preferences.table import PreferenceTable

_FEATURES = 1 << 20
_COLLISION_SLACK = 0.05
"""Two shingles in one column move the estimated similarity a little; everything this close is compared exactly."""


class Overlap(Settings):
    """What training and held-out side have in common; all of it should be 0."""

    groups: int
    """Prompt groups that stand on both sides."""
    prompts: int
    """Training rows whose normalised prompt stands on the held-out side."""
    near_duplicates: int | None
    """Training rows whose prompt nearly repeats a held-out one; absent where no similarity was set."""


def measure(train: PreferenceTable, heldout: PreferenceTable, *, similarity: float | None) -> Overlap:
    """Compare the two sides anew. Empty prompts are left out: they repeat nothing."""
    heldout_groups: set[str] = set()
    # A place in the table for each distinct prompt; the texts themselves stay in the file.
    first_place: dict[bytes, int] = {}
    for start, batch in heldout.prompt_batches():
        heldout_groups.update(group for group, _ in batch)
        for place, (_, prompt) in enumerate(batch, start):
            if text := normalise(prompt_text(prompt)):
                first_place.setdefault(_digest(text), place)
    shared_groups: set[str] = set()
    repeated = 0
    for _, batch in train.prompt_batches():
        shared_groups.update(group for group, _ in batch if group in heldout_groups)
        repeated += sum(_digest(normalise(prompt_text(prompt))) in first_place for _, prompt in batch)
    distinct = heldout.select(first_place.values())
    near = None if similarity is None else _count_near(train, distinct, similarity)
    return Overlap(groups=len(shared_groups), prompts=repeated, near_duplicates=near)


def require_none(overlap: Overlap) -> None:
    """Refuse a split that leaks.

    Raises:
        DataError: Something is not 0.
    """
    if overlap.groups or overlap.prompts or overlap.near_duplicates:
        raise DataError(
            "held-out prompts stand in the training side",
            wanted="an overlap of 0",
            got=", ".join(f"{name} {count}" for name, count in overlap.model_dump().items()),
            fix="report this: the split should have set them aside",
        )


def _count_near(train: PreferenceTable, heldout: PreferenceTable, similarity: float) -> int:
    """Training rows with a near duplicate among `heldout`, whose prompts are distinct."""
    parts = [_matrix([prompt_text(p) for _, p in batch]) for _, batch in heldout.prompt_batches()]
    if not parts:
        return 0
    indexed = csr_matrix(vstack(parts))
    sizes = np.diff(indexed.indptr)
    columns = csr_matrix(indexed.T)
    count = 0
    for _, batch in train.prompt_batches():
        texts = [prompt_text(prompt) for _, prompt in batch]
        distinct = list(dict.fromkeys(texts))
        near = _near_places(_matrix(distinct), columns, sizes=sizes, similarity=similarity)
        leaking = {distinct[i] for i, j in near if jaccard(distinct[i], prompt_text(heldout[j].prompt)) >= similarity}
        count += sum(text in leaking for text in texts)
    return count


def _near_places(
    rows: csr_matrix, columns: csr_matrix, *, sizes: np.ndarray, similarity: float
) -> Iterator[tuple[int, int]]:
    """Row and column of each pair whose |A ∩ B| / |A ∪ B| is `similarity` or nearly so."""
    common = csr_matrix(rows @ columns).tocoo()
    own = np.diff(rows.indptr)[common.row]
    union = own + sizes[common.col] - common.data
    close = common.data >= (similarity - _COLLISION_SLACK) * union
    return zip(common.row[close].tolist(), common.col[close].tolist(), strict=True)


def _matrix(texts: Sequence[str]) -> csr_matrix:
    """`[text, column]`: 1 where the text has a shingle that hashes to the column."""
    features = [sorted({crc32(" ".join(s).encode()) % _FEATURES for s in shingles(text)}) for text in texts]
    offsets = np.cumsum([0, *map(len, features)])
    indices = np.fromiter((column for row in features for column in row), np.int32, offsets[-1])
    return csr_matrix((np.ones(len(indices), np.float32), indices, offsets), shape=(len(texts), _FEATURES))


def _digest(text: str) -> bytes:
    return sha256(text.encode()).digest()[:16]
