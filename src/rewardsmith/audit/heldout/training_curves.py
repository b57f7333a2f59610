"""Learning curves, from the training log."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rewardsmith.audit.absent import Absent

HELDOUT_PREFIX = "eval_"


@dataclass(frozen=True, slots=True)
class Series:
    """Values by optimiser step."""

    steps: tuple[int, ...]
    values: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.steps)


@dataclass(frozen=True, slots=True)
class TrainingCurves:
    """Loss and accuracy by optimiser step, of training batches (as they passed by) and of the held-out set."""

    loss: Series
    accuracy: Series
    heldout_loss: Series
    heldout_accuracy: Series


def read_training_curves(log: Sequence[Mapping[str, Any]] | None) -> TrainingCurves | Absent:
    """The curves of a training log: rows with `step` and some of `loss`, `accuracy`, `eval_loss`, `eval_accuracy`."""
    if not log:
        return Absent("No training log was given.")
    curves = TrainingCurves(
        loss=_series(log, "loss"),
        accuracy=_series(log, "accuracy"),
        heldout_loss=_series(log, f"{HELDOUT_PREFIX}loss"),
        heldout_accuracy=_series(log, f"{HELDOUT_PREFIX}accuracy"),
    )
    if not any(len(series) for series in (curves.loss, curves.accuracy, curves.heldout_loss, curves.heldout_accuracy)):
        return Absent("The training log holds neither loss nor accuracy by step.")
    return curves


def _series(log: Sequence[Mapping[str, Any]], key: str) -> Series:
    """Finite values only; where a step stands twice (a resumed run), the later line holds."""
    found: dict[int, float] = {}
    for line in log:
        step, value = line.get("step"), line.get(key)
        if isinstance(step, int | float) and isinstance(value, int | float) and math.isfinite(value):
            found[int(step)] = float(value)
    steps = sorted(found)
    return Series(tuple(steps), tuple(found[step] for step in steps))
