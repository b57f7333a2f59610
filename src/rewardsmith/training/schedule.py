"""Which preferences each device sees in each optimiser step of an epoch: integers in, integers out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

FILLER = -1
"""Stands where a device has nothing to do in a step; the collator makes a sequence of no weight of it."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How an epoch is cut.

    Attributes:
        step_size: Preferences in one optimiser step, over all devices.
        devices: Processes that train together.
    """

    step_size: int
    devices: int = 1

    def steps(self, preferences: int) -> int:
        """Optimiser steps in one epoch."""
        return -(-preferences // self.step_size)


def epoch_order(preferences: int, *, seed: int, epoch: int) -> Int[np.ndarray, " preference"]:
    """A permutation of the preferences, the same for the same seed and epoch on every machine."""
    return np.random.Generator(np.random.PCG64([seed, epoch])).permutation(preferences)


def epoch_steps(lengths: Sequence[int], cut: Cut, *, seed: int, epoch: int) -> list[list[list[int]]]:
    """The epoch's optimiser steps, `[step][device] -> preferences`.

    Each preference stands in exactly one of them, so an epoch is a permutation of the set. Which preferences share a
    step is decided by the shuffled order alone. Inside a step they are sorted by length and dealt out to the devices
    like cards, so that all have about as much to do; a sum over the step is the same whoever computes it.

    Args:
        lengths: `[preference]`, tokens of the longest response with its prompt.
    """
    order = epoch_order(len(lengths), seed=seed, epoch=epoch)
    steps: list[list[list[int]]] = []
    for start in range(0, len(order), cut.step_size):
        window = sorted(order[start : start + cut.step_size].tolist(), key=lambda index: (-lengths[index], index))
        steps.append([window[device :: cut.devices] or [FILLER] for device in range(cut.devices)])
    return steps


class DeviceSteps:
    """The batch sampler of one device: iterating gives its share of each step of the current epoch."""

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
        return self.cut.steps(len(self._lengths))

    def __iter__(self) -> Iterator[list[int]]:
        for devices in epoch_steps(self._lengths, self.cut, seed=self._seed, epoch=self.epoch):
            yield devices[self._device]
