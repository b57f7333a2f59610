"""Weights under which neither side wins by its length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardsmith.core.preference import Pair
from rewardsmith.preferences import columns
from rewardsmith.preferences.length_balance import (
    PairLengths,
    balance_factors,
    length_bins,
    pair_lengths,
    reweighted,
    side_weights,
)
from rewardsmith.preferences.table import from_preferences


def pairs_of(*gaps: int, share: list[float] | None = None) -> PairLengths:
    return PairLengths(np.array(gaps, np.int64), np.ones(len(gaps)) if share is None else np.array(share))


def test_bins_are_powers_of_two():
    gaps = np.array([0, 1, -1, 2, 3, -4, 7, 8, 1023, -1024])
    assert length_bins(gaps).tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 9, 10]


def test_by_hand():
    # Gaps 4 to 7: three longer wins against one shorter. 16: longer only. 2: one each, with weights 1 and .5.
    pairs = pairs_of(4, 5, 7, -6, 16, 2, -3, 0, share=[1, 1, 1, 1, 1, 1, 0.5, 1])
    factors = balance_factors(pairs, side_weights(pairs))
    assert factors.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1, 0, 0.5, 1, 1])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-40, 40), st.floats(0.01, 5)), max_size=60))
def test_both_sides_win_the_same_weight_in_every_bin(rows):
    pairs = pairs_of(*(gap for gap, _ in rows), share=[share for _, share in rows])
    factors = balance_factors(pairs, side_weights(pairs))

    after = side_weights(PairLengths(pairs.gap, pairs.share * factors))
    np.testing.assert_allclose(after.longer, after.shorter, rtol=1e-9, atol=1e-12)
    assert ((factors >= 0) & (factors <= 1)).all()
    assert (factors[pairs.gap == 0] == 1).all()
    # Balancing what is balanced changes nothing, but for what has no weight any more.
    again = balance_factors(PairLengths(pairs.gap, pairs.share * factors), after)
    np.testing.assert_allclose(again[factors > 0], 1.0, rtol=1e-6)


def test_parts_add_up():
    whole = pairs_of(3, -3, 9, -17, 0, 2)
    parts = side_weights(pairs_of(3, -3, 9)) + side_weights(pairs_of(-17, 0, 2))
    np.testing.assert_array_equal(side_weights(whole).longer, parts.longer)
    np.testing.assert_array_equal(side_weights(whole).shorter, parts.shorter)


def batch_of(rows: list[Any], encoder: Any) -> Any:
    table = from_preferences(rows, encoder)._data
    (batch,) = table.combine_chunks().to_batches()
    return batch


def test_lengths_and_weights_of_rows(make_preference, byte_encoder):
    rows = [
        make_preference("p", "four", "a", pairs=(Pair(1, 0), Pair(0, 1, prob_chosen=0.25, weight=3.0))),
        make_preference(
            "q", "12", "1234", "123", pairs=(Pair(0, 1), Pair(1, 2, prob_chosen=0.5, tie=True), Pair(1, 0))
        ),
    ]
    batch = batch_of(rows, byte_encoder)

    found = pair_lengths(batch)

    # The preferred one is “a” twice: 3 bytes shorter. Then “12” over “1234”, a tie, “1234” over “12”.
    assert found.gap.tolist() == [-3, -3, -2, 0, 2]
    assert found.share.tolist() == pytest.approx([0.5, 1.5, 1 / 3, 1 / 3, 1 / 3])
    # A slice of a batch starts in the middle of the arrays below it.
    second = pair_lengths(batch.slice(1))
    assert second.gap.tolist() == [-2, 0, 2]

    weighed = reweighted(batch.slice(1), np.array([0.5, 1.0, 0.25]))
    assert weighed.schema == batch.schema
    row = columns.preference_from_row({name: weighed.column(name)[0].as_py() for name in columns.TEXT_SCHEMA.names})
    assert [pair.weight for pair in row.pairs] == [0.5, 1.0, 0.25]
    assert [pair._replace(weight=1.0) for pair in row.pairs] == list(rows[1].pairs)
    assert weighed.column("tails").equals(batch.slice(1).column("tails"))
