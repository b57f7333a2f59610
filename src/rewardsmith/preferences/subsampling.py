"""Which preferences to leave out so that sources, or topics, are equally present, or so that there are at most so many.

Each row has a fixed lottery number that comes from its content; the smallest stay. So the choice doesn't move when
files are reordered, and hardly when data are added.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Bool, Int, Int32, UInt64
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer

from rewardsmith.core.errors import DataError

_FEATURES = 1 << 15
_TOPIC_DIMENSIONS = 32


def even_out(
    labels: Int[np.ndarray, " row"], lottery: UInt64[np.ndarray, " row"], kept: Bool[np.ndarray, " row"]
) -> Bool[np.ndarray, " row"]:
    """A mask of `kept` rows in which each label that occurs there is as frequent as the rarest one."""
    if not kept.any():
        return kept.copy()
    present = np.flatnonzero(kept)
    _, counts = np.unique(labels[present], return_counts=True)
    order = present[np.lexsort((present, lottery[present], labels[present]))]
    sorted_labels = labels[order]
    starts = np.flatnonzero(np.r_[True, sorted_labels[1:] != sorted_labels[:-1]])
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
    return _mask(len(kept), order[rank < counts.min()])


def at_most(
    limit: int, lottery: UInt64[np.ndarray, " row"], kept: Bool[np.ndarray, " row"]
) -> Bool[np.ndarray, " row"]:
    """A mask of the `limit` kept rows with the smallest lottery numbers."""
    present = np.flatnonzero(kept)
    order = present[np.lexsort((present, lottery[present]))]
    return _mask(len(kept), order[:limit])


def fit_topics(sample: Sequence[str], topics: int) -> Pipeline:
    """Clusters of prompts: k-means on a latent semantic analysis of their words (Deerwester et al. 1990).

    The hashed words are first brought to 32 dimensions, since k-means on sparse words makes one huge cluster and
    many of one prompt.

    Raises:
        DataError: There are fewer distinct prompts than topics.
    """
    distinct = len(set(sample))
    if distinct < topics:
        raise DataError(
            "fewer prompts than topics", wanted=f"at least {topics} distinct prompts", got=distinct, fix="lower topics"
        )
    return make_pipeline(
        HashingVectorizer(n_features=_FEATURES, stop_words="english", alternate_sign=False),
        TruncatedSVD(n_components=min(_TOPIC_DIMENSIONS, max(2, distinct - 1)), random_state=0),
        Normalizer(),
        KMeans(n_clusters=topics, n_init="auto", random_state=0),
    ).fit(sample)


def predict_topics(clusters: Pipeline, batches: Iterable[Sequence[str]]) -> Int32[np.ndarray, " prompt"]:
    """The cluster of each prompt."""
    found = [np.asarray(clusters.predict(batch), np.int32) for batch in batches if len(batch)]
    return np.concatenate([np.zeros(0, np.int32), *found])


def _mask(rows: int, chosen: Int[np.ndarray, " chosen"]) -> Bool[np.ndarray, " row"]:
    mask = np.zeros(rows, bool)
    mask[chosen] = True
    return mask
