"""Preferences to tensors: each distinct response is one sequence, and pairs are indices into the sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rewardsmith.batching.collate import pad
from rewardsmith.losses.pair_batch import PairBatch
from rewardsmith.preferences.table import EncodedPreference

NETWORK_INPUTS = ("input_ids", "attention_mask", "position_ids")
_PAIR_FIELDS = tuple(field.name for field in fields(PairBatch))


class PreferenceCollator:
    """Makes one flat dictionary of tensors of some preferences: `NETWORK_INPUTS` and the fields of `PairBatch`.

    A response that takes part in several pairs is computed once. `None` (a device without work) becomes a sequence of
    one token that is in no pair, so that the device takes part in the step and adds nothing to it.
    """

    def __init__(self, pad_id: int) -> None:
        self.pad_id = pad_id

    def __call__(self, preferences: Sequence[EncodedPreference | None]) -> dict[str, Tensor]:
        padded = pad(self._sequences(preferences), pad_id=self.pad_id)
        network = {name: torch.from_numpy(getattr(padded, name)) for name in NETWORK_INPUTS}
        return network | _pair_tensors(preferences)

    def _sequences(self, preferences: Sequence[EncodedPreference | None]) -> list[np.ndarray]:
        rows = []
        for preference in preferences:
            if preference is None:
                rows.append(np.array([self.pad_id], np.int64))
            else:
                rows.extend(np.concatenate([preference.prefix, tail]) for tail in preference.tails)
        return rows


def pair_batch(inputs: Mapping[str, Any]) -> PairBatch:
    """The comparisons among the tensors of a collated batch."""
    return PairBatch(**{name: inputs[name] for name in _PAIR_FIELDS})


def _pair_tensors(preferences: Sequence[EncodedPreference | None]) -> dict[str, Tensor]:
    rows: list[tuple[int, int, float, float, float, bool, int]] = []
    owners: list[int] = []
    for number, preference in enumerate(preferences):
        first = len(owners)
        owners.extend([number] * (1 if preference is None else len(preference.tails)))
        for pair in preference.pairs if preference is not None else ():
            margin = 0.0 if pair.margin is None else pair.margin
            ends = (first + pair.chosen, first + pair.rejected)
            rows.append((*ends, pair.prob_chosen, margin, pair.weight, pair.tie, number))
    chosen, rejected, prob_chosen, margin, weight, tie, number = zip(*rows, strict=True) if rows else [()] * 7
    return {
        "chosen": torch.tensor(chosen, dtype=torch.int64),
        "rejected": torch.tensor(rejected, dtype=torch.int64),
        "prob_chosen": torch.tensor(prob_chosen, dtype=torch.float32),
        "margin": torch.tensor(margin, dtype=torch.float32),
        "weight": torch.tensor(weight, dtype=torch.float32),
        "tie": torch.tensor(tie, dtype=torch.bool),
        "preference": torch.tensor(number, dtype=torch.int64),
        "sequence_preference": torch.tensor(owners, dtype=torch.int64),
    }
