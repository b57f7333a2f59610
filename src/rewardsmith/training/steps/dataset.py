"""Step traces as the data set that a data loader indexes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int

from rewardsmith.text.steps import EncodedSteps
from rewardsmith.training.schedule import FILLER

Targets = Float32[np.ndarray, " step"]
"""1 right, 0 wrong, NaN not labelled."""


@dataclass(frozen=True, slots=True)
class TargetedSteps:
    """A solution and what is to be said about its steps."""

    encoded: EncodedSteps
    targets: Targets


@dataclass(frozen=True, slots=True)
class FeaturedSteps:
    """Likewise, where the frozen part of a model has read the solution.

    Attributes:
        states: What the head reads of each step.
        targets: See `Targets`.
        tokens: Of the solution with its prompt.
    """

    states: Float32[np.ndarray, "step width"]
    targets: Targets
    tokens: int


class StepDataset:
    """Encoded solutions by index; `FILLER` gives `None`.

    Attributes:
        longest: `[trace]`, its tokens.
    """

    def __init__(self, encoded: Sequence[EncodedSteps], targets: Sequence[Targets]) -> None:
        self.encoded = list(encoded)
        self.targets = list(targets)
        self.longest: Int[np.ndarray, " trace"] = np.array([len(each.input_ids) for each in encoded], np.int64)

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, index: int) -> TargetedSteps | FeaturedSteps | None:
        return None if index == FILLER else TargetedSteps(self.encoded[index], self.targets[index])


class StepFeatureDataset(StepDataset):
    """The same with what the head reads in the place of token ids.

    Args:
        dataset: The solutions.
        states: Of all steps of this and other data sets.
        first: Row of `states` of the first step here.
    """

    def __init__(self, dataset: StepDataset, states: Float32[np.ndarray, "row width"], *, first: int) -> None:
        super().__init__(dataset.encoded, dataset.targets)
        self.states = states
        self._bounds = first + np.cumsum([0, *(len(each) for each in dataset.targets)])

    def __getitem__(self, index: int) -> FeaturedSteps | None:
        if index == FILLER:
            return None
        rows = self.states[self._bounds[index] : self._bounds[index + 1]]
        return FeaturedSteps(rows, self.targets[index], int(self.longest[index]))
