"""The main job: check and split → train → evaluate and report, each stage an artefact of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rewardsmith.audit.evaluation import Evaluation
from rewardsmith.core.store import read_manifest
from rewardsmith.pipeline.describe import write_card
from rewardsmith.pipeline.evaluate import evaluate_model
from rewardsmith.pipeline.prepare import data_is_current, prepare_for
from rewardsmith.preferences.store import KIND as DATA_KIND
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.train import model_is_current, remove_leftovers, train

DATA, CARD, MODEL, EVALUATION = "data", "card", "model", "evaluation"


@dataclass(frozen=True, slots=True)
class StageResult:
    """One finished stage.

    Attributes:
        reused: The artefact of an earlier run was there, whole and made from the same inputs.
    """

    name: str
    folder: Path
    seconds: float
    reused: bool


@dataclass(frozen=True, slots=True)
class RunResult:
    """A finished run: its stages in order, and what the evaluation found."""

    stages: tuple[StageResult, ...]
    evaluation: Evaluation
    report: Path
    card: Path


def run(recipe: Recipe, out: Path, *, on_stage: Callable[[StageResult], None] = lambda _: None) -> RunResult:
    """Run all stages into `out/data`, `out/model` and `out/evaluation`; a card of the data goes into `out/card`.

    A stage whose artefact is current is not run again, and interrupted training resumes, so the same command
    continues a run that was killed.

    Args:
        on_stage: Called after each stage.

    Raises:
        RewardsmithError: A stage refused its input; earlier artefacts stay.
    """
    stages: list[StageResult] = []

    def finish(name: str, started: float, *, reused: bool = False) -> None:
        stages.append(StageResult(name, out / name, time.perf_counter() - started, reused))
        on_stage(stages[-1])

    started = time.perf_counter()
    reused = data_is_current(recipe, out / DATA)
    if not reused:
        prepare_for(recipe, out / DATA)
    card = write_card(out / DATA, out / CARD, name=recipe.name)
    finish(DATA, started, reused=reused)

    started = time.perf_counter()
    prepared = read_manifest(out / DATA, DATA_KIND)
    reused = model_is_current(recipe, prepared, out / MODEL)
    if reused:
        remove_leftovers(recipe, prepared, out / MODEL)
    else:
        train(recipe, out / DATA, out / MODEL)
    finish(MODEL, started, reused=reused)

    started = time.perf_counter()
    evaluation = evaluate_model(out / MODEL, data=out / DATA, out=out / EVALUATION)
    finish(EVALUATION, started)
    return RunResult(tuple(stages), evaluation, out / EVALUATION / "report.html", card)
