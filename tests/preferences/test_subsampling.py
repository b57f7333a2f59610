"""Equal shares, limits, and topics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.core.errors import DataError
from rewardsmith.preferences.subsampling import at_most, even_out, fit_topics, predict_topics

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50), st.booleans()), max_size=40)


def arrays(rows):
    labels, lottery, kept = zip(*rows, strict=True) if rows else ((), (), ())
    return np.array(labels, np.int64), np.array(lottery, np.uint64), np.array(kept, bool)


@given(ROWS)
def test_every_label_is_as_frequent_as_the_rarest(rows):
    labels, lottery, kept = arrays(rows)
    mask = even_out(labels, lottery, kept)
    assert not (mask & ~kept).any()
    counts = [int((labels[kept] == label).sum()) for label in set(labels[kept].tolist())]
    for label in set(labels[kept].tolist()):
        assert (labels[mask] == label).sum() == min(counts)
        chosen, left = lottery[mask & (labels == label)], lottery[kept & ~mask & (labels == label)]
        assert len(left) == 0 or chosen.max() <= left.min()
    assert (even_out(labels, lottery, mask) == mask).all()


def test_even_out_by_hand():
    labels = np.array([0, 0, 0, 1, 1, 2])
    lottery = np.array([9, 4, 6, 1, 2, 3], np.uint64)
    kept = np.array([True, True, True, True, True, False])
    assert even_out(labels, lottery, kept).tolist() == [False, True, True, True, True, False]


@given(ROWS, st.integers(1, 50))
def test_at_most_takes_the_smallest(rows, limit):
    _, lottery, kept = arrays(rows)
    mask = at_most(limit, lottery, kept)
    assert mask.sum() == min(limit, kept.sum())
    assert not (mask & ~kept).any()
    if mask.any() and (kept & ~mask).any():
        assert lottery[mask].max() <= lottery[kept & ~mask].min()


def test_topics_find_what_was_planted():
    cooking = [f"how long should I boil {thing} in salted water" for thing in ("eggs", "rice", "pasta", "corn", "peas")]
    stars = [f"which telescope shows the planet {thing} at night" for thing in ("mars", "venus", "saturn", "uranus")]
    clusters = fit_topics([*cooking, *stars], 2)
    labels = predict_topics(clusters, [cooking, [], stars])
    assert len(set(labels[:5].tolist())) == len(set(labels[5:].tolist())) == 1
    assert labels[0] != labels[-1]
    assert (predict_topics(fit_topics([*cooking, *stars], 2), [cooking, stars]) == labels).all()


def test_more_topics_than_prompts_are_refused():
    with pytest.raises(DataError, match="at least 3 distinct prompts"):
        fit_topics(["a b", "a b", "c d"], 3)
