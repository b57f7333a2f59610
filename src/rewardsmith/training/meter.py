"""What happened since the last line of the log: totals and time, kept across an interruption."""

from __future__ import annotations

import time
from typing import Any

from accelerate.utils import gather_object
from transformers import TrainerCallback

from rewardsmith.training.metrics import Totals, figures, merged, speeds


class Meter(TrainerCallback):
    """Adds up the totals of micro-batches and the time of optimiser steps, without that of evaluation and saving."""

    def __init__(self) -> None:
        self.totals = Totals()
        self.seconds = 0.0
        self._started: float | None = None

    def start(self) -> None:
        """A step begins: its batches are about to be made."""
        self._started = time.perf_counter()

    def add(self, totals: Totals) -> None:
        """A micro-batch was computed."""
        self.totals += totals

    def on_step_end(self, args, state, control, **kwargs):  # noqa: ARG002
        """A step ended."""
        if self._started is not None:
            self.seconds += time.perf_counter() - self._started
            self._started = None

    def gather(self, *, main: bool) -> None:
        """Bring the totals of all devices to the main one; the others start again from nothing."""
        totals = merged(gather_object([self.totals]))
        self.totals = totals if main else Totals()

    def line(self) -> dict[str, float]:
        """The figures since the last line."""
        counts = {"tokens": self.totals.tokens, "seconds": self.seconds}
        return figures(self.totals) | counts | speeds(self.totals, self.seconds)

    def reset(self) -> None:
        """Begin a new line."""
        self.totals, self.seconds = Totals(), 0.0

    def saved(self) -> dict[str, float]:
        """The state for a checkpoint; call `gather` first."""
        return self.totals.as_dict() | {"seconds": self.seconds}

    def restore(self, saved: dict[str, float]) -> None:
        """Go on from a checkpoint."""
        values = dict(saved)
        self.seconds = values.pop("seconds")
        known: Any = values
        self.totals = Totals(**known)
