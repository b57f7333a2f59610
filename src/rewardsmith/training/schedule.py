"""Which preferences each device sees in each micro-batch of an epoch: integers in, integers out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

FILLER = -1
"""Stands where a device has nothing to do in a micro-batch; the collator makes a sequence of no weight of it."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How an epoch is cut.

    Attributes:
        batch_size: Preferences a device takes in one micro-batch.
        accumulation: Micro-batches an optimiser step.
        devices: Processes that train together.
        sort_by_length: Sort the preferences of each optimiser step by length.
    """

    batch_size: int
    accumulation: int
    devices: int = 1
    sort_by_length: bool = True

    @property
    def step_size(self) -> int:
        """Preferences in one optimiser step."""
        return self.batch_size * self.accumulation * self.devices

    def steps(self, preferences: int) -> int:
        """Optimiser steps in one epoch."""
        return -(-preferences // self.step_size)

    def micro_batches(self, preferences: int) -> int:
        """Micro-batches of one device in one epoch."""
        full, rest = divmod(preferences, self.step_size)
        return full * self.accumulation + -(-rest // (self.batch_size * self.devices))


def epoch_order(preferences: int, *, seed: int, epoch: int) -> Int[np.ndarray, " preference"]:
    """A permutation of the preferences, the same for the same seed and epoch on every machine."""
    return np.random.Generator(np.random.PCG64([seed, epoch])).permutation(preferences)


def epoch_batches(lengths: Sequence[int], cut: Cut, *, seed: int, epoch: int) -> list[list[list[int]]]:
    """The epoch's micro-batches, `[micro_batch][device] -> preferences`.

    Each preference stands in exactly one of them, so an epoch is a permutation of the set. Which preferences share an
    optimiser step is decided by the shuffled order alone. Inside a step they may be sorted by length and are cut
    evenly, neighbours in length side by side on the devices; a sum over the step is the same whatever the cut.

    Args:
        lengths: `[preference]`, tokens of the longest response with its prompt.
    """
    order = epoch_order(len(lengths), seed=seed, epoch=epoch)
    batches: list[list[list[int]]] = []
    for start in range(0, len(order), cut.step_size):
        window = order[start : start + cut.step_size].tolist()
        if cut.sort_by_length:
            window.sort(key=lambda index: (lengths[index], index))
        batches.extend(_cut_window(window, cut))
    return batches


def _cut_window(window: list[int], cut: Cut) -> list[list[list[int]]]:
    """Cut one optimiser step evenly over its micro-batches and devices; an empty share is one filler."""
    micro_batches = -(-len(window) // (cut.batch_size * cut.devices))
    shares = np.array_split(np.asarray(window, np.int64), micro_batches * cut.devices)
    lists = [share.tolist() or [FILLER] for share in shares]
    return [lists[first : first + cut.devices] for first in range(0, len(lists), cut.devices)]


class DeviceBatches:
    """The batch sampler of one device: iterating gives the micro-batches of the current epoch."""

    def __init__(self, lengths: Sequence[int], cut: Cut, *, device: int, seed: int) -> None:
        self.cut = cut
        self.epoch = 0
        self._lengths = list(lengths)
        self._device = device
        self._seed = seed

    def set_epoch(self, epoch: int) -> None:
        """Iterate over this epoch from now on."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.cut.micro_batches(len(self._lengths))

    def __iter__(self) -> Iterator[list[int]]:
        for devices in epoch_batches(self._lengths, self.cut, seed=self._seed, epoch=self.epoch):
            yield devices[self._device]
