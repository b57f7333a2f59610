"""What happens after each of TRL's steps: a line of the log, β, fresh samples, stop rules, whole checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from rewardsmith.optimise.anchor import Anchor
from rewardsmith.optimise.ppo.store import LOG_NAME, write_log
from rewardsmith.optimise.run_log import Line, best_step, trl_line
from rewardsmith.training.checkpoint import PREFIX, rotate, seal


class Keeper(TrainerCallback):
    """Keeps the log and the checkpoints of a run, and moves its β.

    Args:
        lines: Of an earlier part of the run.
        anchor: That has seen these lines.
        set_beta: Hands β to the trainer.
        measure: Figures of fresh samples.
        every_steps: Steps between two measurements.
        steps: Of the whole run; the last one is measured too.
        stop: Asked after each line.
        on_line: Called after each line.
    """

    def __init__(
        self,
        lines: Sequence[Line],
        *,
        anchor: Anchor,
        set_beta: Callable[[float], None],
        measure: Callable[[], Mapping[str, float]],
        every_steps: int,
        steps: int,
        stop: Callable[[Sequence[Line]], str | None],
        on_line: Callable[[Sequence[Line]], None],
    ) -> None:
        self.lines = list(lines)
        self.stopped = stop(self.lines) if lines else None
        self._anchor = anchor
        self._set_beta = set_beta
        self._measure = measure
        self._every = every_steps
        self._steps = steps
        self._stop = stop
        self._on_line = on_line

    def on_log(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """One line a step; the trainer's summary at the end is none."""
        step = state.global_step
        if logs is None or "train_runtime" in logs or (self.lines and self.lines[-1]["step"] >= step):
            return
        line = trl_line(step, logs, beta=self._anchor.beta)
        if step % self._every == 0 or step == self._steps:
            line |= self._measure()
        self.lines.append(line)
        self._anchor.observe(line)
        self._set_beta(self._anchor.beta)
        self._on_line(self.lines)
        self.stopped = self._stop(self.lines)
        if self.stopped is not None:
            control.should_training_stop = True
            control.should_save = True

    def on_save(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        **_: Any,
    ) -> None:
        """The list of files comes last, so that a checkpoint that was cut off is known by lacking it."""
        work = Path(str(args.output_dir))
        folder = work / f"{PREFIX}{state.global_step}"
        write_log(folder / LOG_NAME, self.lines)
        seal(folder)
        rotate(work, keep=1, best_step=best_step(self.lines))
