"""Each distinct response once; pairs are indices into the rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from rewardsmith.core.preference import Pair
from rewardsmith.preferences.table import EncodedPreference
from rewardsmith.training.collator import FeatureCollator, PreferenceCollator, network_inputs, pair_batch
from rewardsmith.training.dataset import FeaturedPreference


def encoded(prefix, tails, pairs) -> EncodedPreference:
    return EncodedPreference(
        np.array(prefix, np.int32), tuple(np.array(tail, np.int32) for tail in tails), tuple(pairs)
    )


def test_two_preferences_by_hand():
    first = encoded([5, 6], [[7], [8, 9], [4]], [Pair(0, 1), Pair(2, 1, prob_chosen=0.5, tie=True, weight=3.0)])
    second = encoded([], [[1, 2, 3], [2]], [Pair(1, 0, prob_chosen=0.8, margin=1.5)])

    (inputs,) = PreferenceCollator(0, layout="padded", token_budget=100)([first, second])

    assert (inputs["tokens"], inputs["computed_tokens"]) == (14, 20)
    assert inputs["input_ids"].tolist() == [[5, 6, 7, 0], [5, 6, 8, 9], [5, 6, 4, 0], [1, 2, 3, 0], [2, 0, 0, 0]]
    assert inputs["attention_mask"].sum(1).tolist() == [3, 4, 3, 3, 1]
    assert inputs["position_ids"][1].tolist() == [0, 1, 2, 3]
    batch = pair_batch(inputs)
    assert batch.chosen.tolist() == [0, 2, 4]
    assert batch.rejected.tolist() == [1, 1, 3]
    assert batch.preference.tolist() == [0, 0, 1]
    assert batch.sequence_preference.tolist() == [0, 0, 0, 1, 1]
    torch.testing.assert_close(batch.prob_chosen, torch.tensor([1.0, 0.5, 0.8]))
    assert batch.margin.tolist() == [0.0, 0.0, 1.5]
    assert batch.weight.tolist() == [1.0, 3.0, 1.0]
    assert batch.tie.tolist() == [False, True, False]


@pytest.mark.parametrize("layout", ["shared", "separate", "padded"])
def test_lengths_and_numbers_come_along(layout):
    first = encoded([5, 6], [[7], [8, 9, 3]], [Pair(0, 1), Pair(1, 0)])
    second = replace(encoded([], [[1, 2, 3], [2]], [Pair(0, 1)]), number=41)

    (inputs,) = PreferenceCollator(0, layout=layout, token_budget=100)([first, None, second])

    gaps = dict(zip(inputs["preference"].tolist(), pair_batch(inputs).length_gap.tolist(), strict=False))
    numbers = inputs["numbers"].tolist()
    assert sorted(numbers) == [-1, -1, 41]
    assert gaps[numbers.index(41)] == 2
    assert sorted(inputs["length_gap"].tolist()) == [-2, 2, 2]
    featured = FeaturedPreference(np.zeros((2, 3), np.float32), 9, (Pair(1, 0),), np.array([2, 7]), 8)
    (known,) = FeatureCollator(3)([featured])
    assert (known["length_gap"].tolist(), known["numbers"].tolist()) == ([5], [8])


@pytest.mark.parametrize("layout", ["shared", "separate", "padded"])
def test_a_device_without_work_computes_one_token_and_no_pair(layout):
    (inputs,) = PreferenceCollator(3, layout=layout, token_budget=10)([None])

    assert inputs["input_ids"].tolist() == [[3]]
    assert pair_batch(inputs).chosen.shape == (0,)
    assert pair_batch(inputs).sequence_preference.tolist() == [0]


def test_a_shared_prompt_stands_once():
    pair = encoded(range(20, 40), [[7], [8, 9]], [Pair(0, 1)])

    (shared,) = PreferenceCollator(0, layout="shared", token_budget=100)([pair])
    (separate,) = PreferenceCollator(0, layout="separate", token_budget=100)([pair])

    assert shared["input_ids"].tolist() == [[*range(20, 40), 7, 8, 9]]
    assert shared["position_ids"][0, 20:].tolist() == [20, 20, 21]
    assert shared["attention_mask"].tolist() == [[0, 20, -1], [20, 21, 0], [21, 23, 0]]
    assert shared["ends"].tolist() == [20, 22]
    assert (shared["tokens"], shared["computed_tokens"]) == (43, 23)
    assert separate["attention_mask"].tolist() == [[0, 21, -1], [21, 43, -1]]
    assert (separate["tokens"], separate["computed_tokens"]) == (43, 43)


@pytest.mark.parametrize("layout", ["shared", "separate", "padded"])
def test_the_budget_cuts_the_step_and_keeps_pairs_together(layout):
    pairs = [encoded(range(20, 20 + n), [[1], [2, 3]], [Pair(0, 1)]) for n in (5, 30, 6, 31, 4)]

    batches = PreferenceCollator(0, layout=layout, token_budget=70)(pairs)

    assert len(batches) > 1
    assert all(batch["computed_tokens"] <= 70 or len(batch["chosen"]) == 1 for batch in batches)
    assert sum(len(batch["chosen"]) for batch in batches) == 5
    assert sum(batch["tokens"] for batch in batches) == sum(2 * n + 3 for n in (5, 30, 6, 31, 4))


@pytest.mark.parametrize("layout", ["shared", "separate", "padded"])
def test_sequences_by_themselves_are_all_there_under_the_budget(layout):
    sequences = [np.array(ids, np.int32) for ids in ([*range(20, 40), 7], [3], [*range(20, 40), 8, 9], [4, 5])]

    batches = list(PreferenceCollator(0, layout=layout, token_budget=30).sequence_batches(sequences))

    assert sorted(number for numbers, _ in batches for number in numbers) == [0, 1, 2, 3]
    assert all(inputs["input_ids"].numel() <= 30 for _, inputs in batches)
    # What 0 and 2 share stands once: both fit.
    assert any({0, 2} <= set(numbers) for numbers, _ in batches) == (layout == "shared")
    for numbers, inputs in batches:
        last = inputs["input_ids"][0][inputs["ends"]] if layout != "padded" else None
        assert last is None or last.tolist() == [sequences[number][-1] for number in numbers]


def test_known_states_by_hand():
    first = FeaturedPreference(np.array([[1, 2], [3, 4], [5, 6]], np.float32), 12, (Pair(0, 2), Pair(1, 2)))
    second = FeaturedPreference(np.array([[7, 8], [9, 1]], np.float32), 5, (Pair(1, 0, weight=2.0),))

    (inputs,) = FeatureCollator(2)([first, None, second])

    assert network_inputs(inputs).keys() == {"states"}
    assert inputs["states"].tolist() == [[1, 2], [3, 4], [5, 6], [0, 0], [7, 8], [9, 1]]
    assert (inputs["tokens"], inputs["computed_tokens"]) == (17, 0)
    batch = pair_batch(inputs)
    assert (batch.chosen.tolist(), batch.rejected.tolist()) == ([0, 1, 5], [2, 2, 4])
    assert batch.sequence_preference.tolist() == [0, 0, 0, 1, 2, 2]
    assert batch.preference.tolist() == [0, 0, 2]
    assert batch.weight.tolist() == [1.0, 1.0, 2.0]
