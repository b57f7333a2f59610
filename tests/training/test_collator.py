"""Each distinct response once; pairs are indices into the rows."""

from __future__ import annotations

import numpy as np
import torch

from rewardsmith.core.preference import Pair
from rewardsmith.preferences.table import EncodedPreference
from rewardsmith.training.collator import PreferenceCollator, pair_batch


def encoded(prefix, tails, pairs) -> EncodedPreference:
    return EncodedPreference(
        np.array(prefix, np.int32), tuple(np.array(tail, np.int32) for tail in tails), tuple(pairs)
    )


def test_two_preferences_by_hand():
    first = encoded([5, 6], [[7], [8, 9], [4]], [Pair(0, 1), Pair(2, 1, prob_chosen=0.5, tie=True, weight=3.0)])
    second = encoded([], [[1, 2, 3], [2]], [Pair(1, 0, prob_chosen=0.8, margin=1.5)])

    inputs = PreferenceCollator(pad_id=0)([first, second])

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


def test_a_device_without_work_computes_one_token_and_no_pair():
    inputs = PreferenceCollator(pad_id=3)([None])

    assert inputs["input_ids"].tolist() == [[3]]
    assert pair_batch(inputs).chosen.shape == (0,)
    assert pair_batch(inputs).sequence_preference.tolist() == [0]
