"""Weights under which the longer side wins as much as the shorter one, among pairs whose lengths differ as much.

Leaving pairs out would do the same on average, and throw data away; and a preference of several responses cannot be
left out in half. So each pair of the side that wins too often gets the weight that the draw would have kept it with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float64, Int64

from rewardsmith.preferences import columns

_BINS = 64


@dataclass(frozen=True, slots=True)
class PairLengths:
    """The pairs of some rows, those of a row together.

    Attributes:
        gap: Tokens of the preferred response minus those of the other one; 0 where neither is preferred.
        share: Weight of the pair in the loss: its own divided by the number of its row's pairs.
    """

    gap: Int64[np.ndarray, " pair"]
    share: Float64[np.ndarray, " pair"]


@dataclass(frozen=True, slots=True)
class SideWeights:
    """What each side wins, by how much the lengths differ; adding two gives that of all their pairs.

    Attributes:
        longer: `[bin]`, weight of the pairs that the longer side wins.
        shorter: `[bin]`, likewise the shorter.
    """

    longer: Float64[np.ndarray, " bin"]
    shorter: Float64[np.ndarray, " bin"]

    def __add__(self, other: SideWeights) -> SideWeights:
        return SideWeights(self.longer + other.longer, self.shorter + other.shorter)


def pair_lengths(batch: pa.RecordBatch) -> PairLengths:
    """Of rows of `columns.SCHEMA`."""
    tails, rows = batch.column("tails"), batch.column("pairs")
    pairs = rows.flatten()
    tokens = np.diff(np.asarray(tails.flatten().offsets)).astype(np.int64)
    first = np.asarray(tails.offsets)[:-1] - np.asarray(tails.offsets)[0]
    sizes = np.diff(np.asarray(rows.offsets)).astype(np.int64)
    owner = np.repeat(np.arange(batch.num_rows), sizes)
    chosen, rejected = (pairs.field(name).to_numpy() for name in ("chosen", "rejected"))
    label = np.sign(pairs.field("prob_chosen").to_numpy() - 0.5).astype(np.int64)
    label[pairs.field("tie").to_numpy(zero_copy_only=False)] = 0
    gap = tokens[first[owner] + chosen] - tokens[first[owner] + rejected]
    return PairLengths(gap=label * gap, share=pairs.field("weight").to_numpy() / sizes[owner])


def side_weights(pairs: PairLengths) -> SideWeights:
    """The weights that each side wins."""
    bins = length_bins(pairs.gap)
    sides = [np.bincount(bins[mask], pairs.share[mask], _BINS) for mask in (pairs.gap > 0, pairs.gap < 0)]
    return SideWeights(*sides)


def length_bins(gap: Int64[np.ndarray, " pair"]) -> Int64[np.ndarray, " pair"]:
    """⌊log₂ |gap|⌋, 0 where the gap is 0. The bins do not depend on the data, so that added data move nothing."""
    return np.frexp(np.maximum(np.abs(gap), 1).astype(np.float64))[1].astype(np.int64) - 1


def balance_factors(pairs: PairLengths, sides: SideWeights) -> Float64[np.ndarray, " pair"]:
    """What each pair's weight is multiplied by: min(longer, shorter) / own side of its bin, so at most 1.

    A pair whose lengths are equal, or that nobody decided, keeps its weight. One in a bin in which the other side never
    wins gets 0.

    Args:
        sides: Of all pairs.
    """
    smaller = np.minimum(sides.longer, sides.shorter)
    bins = length_bins(pairs.gap)
    own = np.where(pairs.gap > 0, sides.longer[bins], sides.shorter[bins])
    return np.where(pairs.gap == 0, 1.0, smaller[bins] / np.where(own > 0, own, 1.0))


def reweighted(batch: pa.RecordBatch, factors: Float64[np.ndarray, " pair"]) -> pa.RecordBatch:
    """The rows with the weight of each pair multiplied by its factor."""
    rows = batch.column("pairs")
    pairs = rows.flatten()
    weight = pa.array(pairs.field("weight").to_numpy() * factors)
    fields: Any = list(columns.PAIR_TYPE)
    values = [weight if field.name == "weight" else pairs.field(field.name) for field in fields]
    offsets = pa.array((np.asarray(rows.offsets) - np.asarray(rows.offsets)[0]).astype(np.int32))
    lists = pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(values, fields=fields))
    arrays = [lists if name == "pairs" else batch.column(name) for name in batch.schema.names]
    return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)
