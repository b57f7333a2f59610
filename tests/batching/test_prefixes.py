"""Each token of each sequence exactly once, whatever they have in common."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.batching.prefixes import NO_PARENT, Row, Segment, separate, shared
from rewardsmith.core.errors import DataError

# Two token ids and short sequences: beginnings in common are the rule, equal sequences and prefixes of others occur.
SEQUENCES = st.lists(st.lists(st.integers(1, 2), min_size=1, max_size=7).map(np.array), min_size=1, max_size=7)


def read_back(row: Row, end: int) -> list[int]:
    """The sequence that ends at `end`, by walking up from its segment."""
    number = next(n for n, segment in enumerate(row.segments) if segment.start <= end < segment.end)
    tokens: list[int] = row.input_ids[row.segments[number].start : end + 1].tolist()
    while (number := row.segments[number].parent) != NO_PARENT:
        tokens = row.input_ids[row.segments[number].start : row.segments[number].end].tolist() + tokens
    return tokens


@given(SEQUENCES, st.integers(1, 5))
def test_every_sequence_reads_back(sequences, worth_sharing):
    row = shared(sequences, worth_sharing=worth_sharing)
    assert [read_back(row, end) for end in row.ends] == [ids.tolist() for ids in sequences]


@given(SEQUENCES, st.integers(1, 5))
def test_segments_cover_the_row_and_parents_come_first(sequences, worth_sharing):
    row = shared(sequences, worth_sharing=worth_sharing)
    starts = [segment.start for segment in row.segments]
    ends = [segment.end for segment in row.segments]
    assert starts == [0, *ends[:-1]]
    assert ends[-1] == len(row.input_ids)
    for number, segment in enumerate(row.segments):
        assert segment.end > segment.start
        assert segment.parent < number
        before = 0 if segment.parent == NO_PARENT else row.segments[segment.parent]
        assert segment.position == (0 if before == 0 else before.position + before.end - before.start)


@given(SEQUENCES)
def test_with_no_threshold_each_distinct_beginning_stands_once(sequences):
    distinct = {tuple(ids[: n + 1].tolist()) for ids in sequences for n in range(len(ids))}
    assert len(shared(sequences, worth_sharing=1).input_ids) == len(distinct)


@given(SEQUENCES, st.randoms())
def test_the_order_of_the_sequences_does_not_matter(sequences, dice):
    order = list(range(len(sequences)))
    dice.shuffle(order)
    row, other = shared(sequences, worth_sharing=1), shared([sequences[n] for n in order], worth_sharing=1)
    assert row.input_ids.tolist() == other.input_ids.tolist()
    assert row.segments == other.segments
    assert row.ends[order].tolist() == other.ends.tolist()


def test_a_pair_by_hand():
    # Prompt 7 8 9; the answers 1 2 and 3.
    row = shared([np.array([7, 8, 9, 1, 2]), np.array([7, 8, 9, 3])], worth_sharing=3)
    assert row.input_ids.tolist() == [7, 8, 9, 1, 2, 3]
    assert row.segments == (Segment(0, 3, NO_PARENT, 0), Segment(3, 5, 0, 3), Segment(5, 6, 0, 3))
    assert row.ends.tolist() == [4, 5]


def test_two_levels_by_hand():
    # All share 5; the first two share 5 6 6 as well.
    row = shared([np.array([5, 6, 6, 1]), np.array([5, 6, 6, 2]), np.array([5, 7])], worth_sharing=2)
    assert row.input_ids.tolist() == [5, 6, 6, 1, 2, 7]
    assert [segment.parent for segment in row.segments] == [NO_PARENT, 0, 1, 1, 0]
    assert row.ends.tolist() == [3, 4, 5]


def test_what_saves_too_little_is_not_shared():
    # One shared token saves one token for two sequences and two for three.
    two = [np.array([5, 1]), np.array([5, 2])]
    assert len(shared(two, worth_sharing=2).input_ids) == 4
    assert len(shared([*two, np.array([5, 3])], worth_sharing=2).input_ids) == 4


def test_separate_shares_nothing():
    row = separate([np.array([7, 1]), np.array([7, 1, 2])])
    assert row.input_ids.tolist() == [7, 1, 7, 1, 2]
    assert row.segments == (Segment(0, 2, NO_PARENT, 0), Segment(2, 5, NO_PARENT, 0))
    assert row.ends.tolist() == [1, 4]


@pytest.mark.parametrize("make", [shared, separate])
def test_nothing_to_lay_out_is_an_error(make):
    with pytest.raises(DataError, match="empty row"):
        make([])
    with pytest.raises(DataError, match="sequence 1"):
        make([np.array([1]), np.array([], np.int64)])
