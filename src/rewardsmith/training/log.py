"""The training log: each line once and in order, also after an interruption."""

from __future__ import annotations

from pathlib import Path

from transformers import TrainerCallback

from rewardsmith.training.store import LOG_NAME, append_log, write_log


class TrainingLog(TrainerCallback):
    """Writes `training_log.jsonl` in the work folder while training runs.

    A resumed run begins from the lines of its checkpoint, so that those of the lost steps don't stand there twice.
    """

    def __init__(self, work: Path) -> None:
        self.path = work / LOG_NAME

    def on_train_begin(self, args, state, control, **kwargs):  # noqa: ARG002
        """Write the lines that the checkpoint knows."""
        if state.is_world_process_zero:
            write_log(self.path, state.log_history)

    def on_log(self, args, state, control, **kwargs):  # noqa: ARG002
        """Append the newest line."""
        if state.is_world_process_zero and state.log_history:
            append_log(self.path, state.log_history[-1])


class OwnIntervals(TrainerCallback):
    """A resumed run logs and saves as often as its own settings say; the `Trainer` would keep the checkpoint's."""

    def on_train_begin(self, args, state, control, **kwargs):  # noqa: ARG002
        """Take the intervals of the arguments."""
        state.logging_steps, state.save_steps = int(args.logging_steps), int(args.save_steps)


class LastLine(TrainerCallback):
    """Asks for a line at the last step, so that the steps since the one before are told of too."""

    def on_step_end(self, args, state, control, **kwargs):  # noqa: ARG002
        """Log at the end."""
        if state.global_step >= state.max_steps:
            control.should_log = True
