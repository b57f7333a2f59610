"""Which preferences each device sees in each optimiser step of an epoch: integers in, integers out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float, Int

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


def near_order(
    sizes: Float[np.ndarray, " preference"], *, temperature: float, seed: int, epoch: int
) -> Int[np.ndarray, " draw"]:
    """As many draws as there are preferences, with replacement, with P(i) ∝ e^(−size_i / temperature).

    Args:
        sizes: |Δ| of each preference, in rewards.
    """
    weights = np.exp(-(sizes.astype(np.float64) - sizes.min(initial=np.inf)) / temperature)
    # A third number keeps the draws apart from the permutation of the same epoch.
    generator = np.random.Generator(np.random.PCG64([seed, epoch, 1]))
    return generator.choice(len(sizes), size=len(sizes), p=weights / weights.sum())


def epoch_steps(
    lengths: Sequence[int], cut: Cut, *, seed: int, epoch: int, order: Int[np.ndarray, " draw"] | None = None
) -> list[list[list[int]]]:
    """The epoch's optimiser steps, `[step][device] -> preferences`.

    Each preference stands in exactly one of them, so an epoch is a permutation of the set. Which preferences share a
    step is decided by the shuffled order alone. Inside a step they are sorted by length and dealt out to the devices
    like cards, so that all have about as much to do; a sum over the step is the same whoever computes it.

    Args:
        lengths: `[preference]`, tokens of the longest response with its prompt.
        order: Preferences in the place of the shuffled ones; some may stand there several times.
    """
    if order is None:
        order = epoch_order(len(lengths), seed=seed, epoch=epoch)
    steps: list[list[list[int]]] = []
    for start in range(0, len(order), cut.step_size):
        window = sorted(order[start : start + cut.step_size].tolist(), key=lambda index: (-lengths[index], index))
        steps.append([window[device :: cut.devices] or [FILLER] for device in range(cut.devices)])
    return steps


class Orders(Protocol):
    """Something else than a permutation that decides what an epoch consists of."""

    def begin(self, epoch: int) -> None:
        """This epoch is the current one from now on. All devices call it."""
        ...

    def order(self, *, seed: int) -> Int[np.ndarray, " draw"] | None:
        """The current epoch's preferences, in order; `None` for a permutation."""
        ...


class DeviceSteps:
    """The batch sampler of one device: iterating gives its share of each step of the current epoch.

    Args:
        orders: What decides the order; a permutation where absent.
    """

    def __init__(
        self, lengths: Sequence[int], cut: Cut, *, device: int, seed: int, orders: Orders | None = None
    ) -> None:
        self.cut = cut
        self.epoch = 0
        self._lengths = list(lengths)
        self._device = device
        self._seed = seed
        self._orders = orders

    def set_epoch(self, epoch: int) -> None:
        """Iterate over this epoch from now on."""
        self.epoch = epoch
        if self._orders is not None:
            self._orders.begin(epoch)

    def __len__(self) -> int:
        return self.cut.steps(len(self._lengths))

    def __iter__(self) -> Iterator[list[int]]:
        order = None if self._orders is None else self._orders.order(seed=self._seed)
        for devices in epoch_steps(self._lengths, self.cut, seed=self._seed, epoch=self.epoch, order=order):
            yield devices[self._device]
