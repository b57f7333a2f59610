"""Places of tokens in rows that share beginnings."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rewardsmith.batching.packing import pack
from rewardsmith.batching.places import places_in
from rewardsmith.batching.prefixes import separate, shared
from rewardsmith.batching.step_batch import plan_steps, step_batch

sequences_of_tokens = st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=12), min_size=1, max_size=6)


def test_two_solutions_of_one_problem():
    """Both begin with 1 2 3 (stored once): 1 2 3 | 4 | 5 6. Their ends lie at 3 and 5, the shared 3 at 2 for both."""
    sequences = [np.array([1, 2, 3, 4]), np.array([1, 2, 3, 5, 6])]
    row = shared(sequences, worth_sharing=1)
    assert list(row.input_ids) == [1, 2, 3, 4, 5, 6]
    first, second = places_in(row, [np.array([2, 3]), np.array([2, 3, 4])])
    assert list(first) == [2, 3]
    assert list(second) == [2, 4, 5]


@given(sequences_of_tokens, st.booleans())
def test_every_token_is_found_with_its_position(lists: list[list[int]], is_shared: bool):
    sequences = [np.array(each) for each in lists]
    row = shared(sequences, worth_sharing=2) if is_shared else separate(sequences)
    places = places_in(row, [np.arange(len(each)) for each in sequences])
    packed = pack([row])
    for ids, own in zip(sequences, places, strict=True):
        np.testing.assert_array_equal(row.input_ids[own], ids)
        np.testing.assert_array_equal(packed.position_ids[own], np.arange(len(ids)))


@given(sequences_of_tokens, st.sampled_from(["shared", "separate", "padded"]))
def test_batches_hold_every_step_once(lists: list[list[int]], layout):
    sequences = [np.array(each) for each in lists]
    places = [np.arange(0, len(each), 2) for each in sequences]
    seen = []
    for numbers in plan_steps(sequences, layout=layout, max_tokens=10):
        seen += numbers
        some, own = [sequences[n] for n in numbers], [places[n] for n in numbers]
        batch = step_batch(some, own, layout=layout, pad_id=0)
        flat = batch.inputs["places" if layout == "padded" else "ends"]
        wanted = np.concatenate([ids[at] for ids, at in zip(some, own, strict=True)])
        np.testing.assert_array_equal(batch.inputs["input_ids"].reshape(-1)[flat], wanted)
        assert batch.computed_tokens == batch.inputs["input_ids"].size
    assert sorted(seen) == list(range(len(sequences)))
