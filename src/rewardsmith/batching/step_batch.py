"""Solutions and the places of their steps as one batch: packed, with common beginnings once, or padded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int64

from rewardsmith.batching import buckets, packing, prefixes
from rewardsmith.batching.collate import pad
from rewardsmith.batching.places import places_in
from rewardsmith.batching.prefixes import Ids

StepLayout = Literal["shared", "separate", "padded"]
"""How solutions lie in a batch: packed with shared beginnings once (a decoder), packed whole, or padded."""

Places = Int64[np.ndarray, " step"]


@dataclass(frozen=True, slots=True)
class StepBatch:
    """What a step model reads.

    Attributes:
        inputs: Arrays by the names of the arguments of `StepModel.forward`; the places are its `ends` where the batch
            is packed, and its `places` where it is padded.
        computed_tokens: Tokens that the network computes: padding counts, shared tokens count once.
    """

    inputs: dict[str, Int64[np.ndarray, ...]]
    computed_tokens: int


def plan_steps(sequences: Sequence[Ids], *, layout: StepLayout, max_tokens: int) -> list[list[int]]:
    """Numbers of the sequences that go together, under a budget of tokens."""
    if layout == "shared":
        return packing.fill_shared(sequences, max_tokens=max_tokens)
    lengths = [len(ids) for ids in sequences]
    if layout == "separate":
        return packing.fill(lengths, max_tokens=max_tokens)
    return buckets.plan(lengths, max_tokens=max_tokens)


def step_batch(sequences: Sequence[Ids], places: Sequence[Places], *, layout: StepLayout, pad_id: int) -> StepBatch:
    """The batch of some solutions, their places in order, solution by solution."""
    if layout == "padded":
        padded = pad(sequences, pad_id=pad_id)
        width = padded.input_ids.shape[1]
        flat = np.concatenate([own + row * width for row, own in enumerate(places)])
        inputs = {"input_ids": padded.input_ids, "attention_mask": padded.attention_mask, "places": flat}
        return StepBatch(inputs, padded.input_ids.size)
    row = prefixes.shared(sequences) if layout == "shared" else prefixes.separate(sequences)
    packed = packing.pack([row])
    inputs = {
        "input_ids": packed.input_ids[None],
        "attention_mask": packed.segments,
        "position_ids": packed.position_ids[None],
        "ends": np.concatenate(places_in(row, places)),
    }
    return StepBatch(inputs, len(packed.input_ids))
