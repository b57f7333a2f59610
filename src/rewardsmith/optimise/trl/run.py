"""One run of a TRL trainer: resumed where it was, watched, and left with the weights that are to be kept."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoModelForCausalLM, PreTrainedModel, PrinterCallback

from rewardsmith.core.progress import TokenBar
from rewardsmith.models.causal_lm import CausalLm
from rewardsmith.models.progress_bars import without_bars
from rewardsmith.optimise.anchor import make_anchor
from rewardsmith.optimise.ppo.actor_critic import train_last_blocks
from rewardsmith.optimise.ppo.store import LOG_NAME, read_log
from rewardsmith.optimise.run_log import Line, best_step
from rewardsmith.optimise.settings import OptimiseSettings
from rewardsmith.optimise.trl.keeper import Keeper
from rewardsmith.optimise.watch import stop_reason
from rewardsmith.training.checkpoint import PREFIX, fault
from rewardsmith.training.resume import last_complete_checkpoint


@dataclass(frozen=True, slots=True)
class TrlOutcome:
    """What a run ended with.

    Attributes:
        network: The policy that is to be kept.
        lines: The log.
        stopped: Why it ended before its time.
        kept_step: Step of the kept weights.
    """

    network: PreTrainedModel
    lines: tuple[Line, ...]
    stopped: str | None
    kept_step: int


def run_trl(
    lm: CausalLm,
    settings: OptimiseSettings,
    work: Path,
    *,
    build: Callable[[CausalLm], Any],
    measure: Callable[[CausalLm], Mapping[str, float]],
    on_line: Callable[[Sequence[Line]], None] = lambda _: None,
) -> TrlOutcome:
    """Train a copy of `lm` to the end, from the last whole checkpoint in `work` where there is one.

    Args:
        build: Makes the trainer of a model. The reference that TRL loads comes from the same place as `lm`.
        measure: Figures of the model as it stands.
        on_line: Called after each line of the log.
    """
    folder = last_complete_checkpoint(work)
    lines = [] if folder is None else read_log(folder / LOG_NAME)
    anchor = make_anchor(settings.anchor, settings.watch)
    for line in lines:
        anchor.observe(line)
    trained = CausalLm(copy.deepcopy(lm.network), lm.tokenizer, lm.digest)
    if settings.training.last_blocks is not None:
        train_last_blocks(trained.network, settings.training.last_blocks)
    trainer = build(trained)
    trainer.args._n_gpu = min(trainer.args.n_gpu, 1)

    def set_beta(beta: float) -> None:
        trainer.beta = beta

    steps = settings.training.steps
    with TokenBar("policy training", total=steps) as bar:
        keeper = Keeper(
            lines,
            anchor=anchor,
            set_beta=set_beta,
            measure=lambda: measure(trained),
            every_steps=settings.measure.every_steps,
            steps=steps,
            stop=lambda some: stop_reason(some, settings.stop, settings.watch),
            on_line=lambda some: (bar.advance(1, tokens=0), on_line(some))[1],
        )
        set_beta(anchor.beta)
        # It would print each line on standard output, which is for results.
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(keeper)
        if len(lines) < steps and keeper.stopped is None:
            trainer.train(resume_from_checkpoint=None if folder is None else str(folder))
    return _kept(keeper, work)


def _kept(keeper: Keeper, work: Path) -> TrlOutcome:
    """The best by gold where gold was rated and its checkpoint is there, else the last."""
    last = int(keeper.lines[-1]["step"])
    best = best_step(keeper.lines)
    step = last if best is None or fault(work / f"{PREFIX}{best}") is not None else best
    with without_bars():
        network = AutoModelForCausalLM.from_pretrained(str(work / f"{PREFIX}{step}"), dtype="float32")
    return TrlOutcome(network, tuple(keeper.lines), keeper.stopped, step)


def step_rows(count: int, *, per_step: int, steps: int, seed: int) -> list[int]:
    """Which of `count` rows each place of each step takes: every row once before one comes again, the same for a seed.

    All steps are one epoch for the trainer, so that a resumed run meets the same rows as one that ran through.
    """
    wanted = per_step * steps
    rounds = [np.random.default_rng([seed, number]).permutation(count) for number in range(-(-wanted // count))]
    return np.concatenate(rounds)[:wanted].tolist()
