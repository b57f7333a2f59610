"""Preferences to tensors: each distinct response is one sequence, and pairs are indices into the sequences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from rewardsmith.batching import buckets, packing, prefixes
from rewardsmith.batching.collate import pad
from rewardsmith.losses.pair_batch import PairBatch
from rewardsmith.preferences.table import EncodedPreference
from rewardsmith.training.dataset import FeaturedPreference, sequences_of

Layout = Literal["shared", "separate", "padded"]
"""How sequences lie in a batch: packed with shared beginnings once, packed whole, or padded."""

MicroBatch = dict[str, Any]

_NETWORK_INPUTS = ("input_ids", "attention_mask", "position_ids", "ends", "states", "prior")
_PAIR_FIELDS = tuple(field.name for field in fields(PairBatch))


class PreferenceCollator:
    """Cuts preferences into micro-batches under a token budget, and makes tensors of each.

    A micro-batch is one flat dictionary: what `RewardModel.forward` takes, the fields of `PairBatch`, the `numbers` of
    its preferences in the data set, and two counts: `tokens` of its sequences, each with its prompt, and
    `computed_tokens`, which the network computes for them.

    A response that takes part in several pairs is computed once. `None` (a device without work) becomes a sequence of
    one token that is in no pair, so that the device takes part in the step and adds nothing to it.
    """

    def __init__(self, pad_id: int, *, layout: Layout, token_budget: int) -> None:
        self.pad_id = pad_id
        self.layout: Layout = layout
        self.token_budget = token_budget

    def __call__(self, preferences: Sequence[EncodedPreference | None]) -> list[MicroBatch]:
        groups = [self._sequences(preference) for preference in preferences]
        if self.layout == "padded":
            return [self._padded(preferences, groups, share) for share in _padded_shares(groups, self.token_budget)]
        rows = [_row(preference, group, self.layout) for preference, group in zip(preferences, groups, strict=True)]
        shares = packing.fill([len(row.input_ids) for row in rows], max_tokens=self.token_budget)
        return [
            _packed([rows[index] for index in share])
            | _pair_tensors([preferences[index] for index in share])
            | {"tokens": sum(len(ids) for index in share for ids in groups[index])}
            | {"computed_tokens": sum(len(rows[index].input_ids) for index in share)}
            for share in shares
        ]

    def sequence_batches(self, sequences: Sequence[np.ndarray]) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
        """All of some sequences, without pairs: numbers of those in a batch, and what `RewardModel.forward` takes."""
        if self.layout == "shared":
            plan = packing.fill_shared(sequences, max_tokens=self.token_budget)
        else:
            plan = buckets.plan([len(ids) for ids in sequences], max_tokens=self.token_budget)
        for numbers in plan:
            yield numbers, self._batch([sequences[number] for number in numbers])

    def _batch(self, sequences: list[np.ndarray]) -> dict[str, Tensor]:
        if self.layout == "padded":
            return _rectangle(sequences, pad_id=self.pad_id)
        return _packed([prefixes.shared(sequences) if self.layout == "shared" else prefixes.separate(sequences)])

    def _padded(
        self, preferences: Sequence[EncodedPreference | None], groups: list[list[np.ndarray]], share: list[int]
    ) -> MicroBatch:
        sequences = [ids for index in share for ids in groups[index]]
        network = _rectangle(sequences, pad_id=self.pad_id)
        counts = {"tokens": sum(map(len, sequences)), "computed_tokens": network["input_ids"].numel()}
        return network | _pair_tensors([preferences[index] for index in share]) | counts

    def _sequences(self, preference: EncodedPreference | None) -> list[np.ndarray]:
        if preference is None:
            return [np.array([self.pad_id], np.int64)]
        return sequences_of(preference)


class FeatureCollator:
    """Makes one micro-batch of preferences whose states are known; the network computes nothing for it.

    `None` (a device without work) becomes a sequence that is in no pair.
    """

    def __init__(self, width: int) -> None:
        self.width = width

    def __call__(self, preferences: Sequence[FeaturedPreference | None]) -> list[MicroBatch]:
        nothing = np.zeros((1, self.width), np.float32)
        states = np.concatenate([nothing if each is None else each.states for each in preferences])
        tokens = sum(each.tokens for each in preferences if each is not None)
        counts = {"tokens": tokens, "computed_tokens": 0}
        return [{"states": torch.from_numpy(states)} | _pair_tensors(preferences) | counts]


Collator = PreferenceCollator | FeatureCollator


def network_inputs(batch: Mapping[str, Any]) -> dict[str, Tensor]:
    """What the model's `forward` takes of a micro-batch."""
    return {name: batch[name] for name in _NETWORK_INPUTS if name in batch}


def pair_batch(batch: Mapping[str, Any]) -> PairBatch:
    """The comparisons among the tensors of a micro-batch."""
    return PairBatch(**{name: batch[name] for name in _PAIR_FIELDS})


def _row(preference: EncodedPreference | None, sequences: list[np.ndarray], layout: Layout) -> prefixes.Row:
    return prefixes.shared(sequences) if layout == "shared" and preference else prefixes.separate(sequences)


def _packed(rows: Sequence[prefixes.Row]) -> dict[str, Tensor]:
    packed = packing.pack(rows)
    return {
        "input_ids": torch.from_numpy(packed.input_ids)[None],
        "position_ids": torch.from_numpy(packed.position_ids)[None],
        "attention_mask": torch.from_numpy(packed.segments),
        "ends": torch.from_numpy(packed.ends),
    }


def _rectangle(sequences: Sequence[np.ndarray], *, pad_id: int) -> dict[str, Tensor]:
    padded = pad(sequences, pad_id=pad_id)
    return {name: torch.from_numpy(getattr(padded, name)) for name in ("input_ids", "attention_mask", "position_ids")}


def _padded_shares(groups: Sequence[Sequence[np.ndarray]], token_budget: int) -> list[list[int]]:
    """Preferences of similar length together; as if each had as many responses as the one with the most."""
    most = max(len(group) for group in groups)
    return buckets.plan([max(map(len, group)) for group in groups], max_tokens=max(1, token_budget // most))


def _pair_tensors(preferences: Sequence[EncodedPreference | FeaturedPreference | None]) -> dict[str, Tensor]:
    rows: list[tuple[int, int, float, float, float, bool, int]] = []
    owners: list[int] = []
    lengths: list[float] = []
    for number, preference in enumerate(preferences):
        first = len(owners)
        owners.extend([number] * _responses(preference))
        lengths.extend(_response_lengths(preference))
        for pair in preference.pairs if preference is not None else ():
            margin = 0.0 if pair.margin is None else pair.margin
            ends = (first + pair.chosen, first + pair.rejected)
            rows.append((*ends, pair.prob_chosen, margin, pair.weight, pair.tie, number))
    columns = zip(*rows, strict=True) if rows else [()] * 7
    chosen, rejected, prob_chosen, margin, weight, tie, number = map(list, columns)
    length = torch.tensor(lengths, dtype=torch.float32)
    return {
        "chosen": torch.tensor(chosen, dtype=torch.int64),
        "rejected": torch.tensor(rejected, dtype=torch.int64),
        "length_gap": length[chosen] - length[rejected],
        "prob_chosen": torch.tensor(prob_chosen, dtype=torch.float32),
        "margin": torch.tensor(margin, dtype=torch.float32),
        "weight": torch.tensor(weight, dtype=torch.float32),
        "tie": torch.tensor(tie, dtype=torch.bool),
        "preference": torch.tensor(number, dtype=torch.int64),
        "sequence_preference": torch.tensor(owners, dtype=torch.int64),
        "numbers": torch.tensor([-1 if each is None else each.number for each in preferences], dtype=torch.int64),
    } | _prior_tensor(preferences)


def _prior_tensor(preferences: Sequence[EncodedPreference | FeaturedPreference | None]) -> dict[str, Tensor]:
    """What is added to the reward of each sequence, where that is known of the preferences."""
    priors = [None if each is None else each.prior for each in preferences]
    if all(prior is None for prior in priors):
        return {}
    nothing = np.zeros(1, np.float32)
    return {"prior": torch.from_numpy(np.concatenate([nothing if prior is None else prior for prior in priors]))}


def _response_lengths(preference: EncodedPreference | FeaturedPreference | None) -> list[float]:
    """Tokens of each sequence, but for a constant of the preference; NaN where they are not known."""
    if isinstance(preference, EncodedPreference):
        return [float(len(tail)) for tail in preference.tails]
    if preference is None or preference.lengths is None:
        return [math.nan] * _responses(preference)
    return preference.lengths.astype(float).tolist()


def _responses(preference: EncodedPreference | FeaturedPreference | None) -> int:
    """How many sequences a preference brings; one stands for none."""
    if preference is None:
        return 1
    return len(preference.states if isinstance(preference, FeaturedPreference) else preference.tails)
