"""The main job: check and split → train → evaluate and report, each stage an artefact of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rewardsmith.audit.evaluation import Evaluation
from rewardsmith.core.store import is_current, read_manifest
from rewardsmith.pipeline.evaluate import evaluate_model
from rewardsmith.pipeline.prepare import data_is_current, prepare_for
from rewardsmith.preferences.store import KIND as DATA_KIND
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.train import KIND as MODEL_KIND
from rewardsmith.training.train import expected_parents, train

DATA, MODEL, EVALUATION = "data", "model", "evaluation"


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


def run(recipe: Recipe, out: Path, *, on_stage: Callable[[StageResult], None] = lambda _: None) -> RunResult:
    """Run all stages into `out/data`, `out/model` and `out/evaluation`.

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
    finish(DATA, started, reused=reused)

    started = time.perf_counter()
    reused = _model_is_current(recipe, data=out / DATA, model=out / MODEL)
    if not reused:
        train(recipe, out / DATA, out / MODEL)
    finish(MODEL, started, reused=reused)

    started = time.perf_counter()
    evaluation = evaluate_model(out / MODEL, data=out / DATA, out=out / EVALUATION)
    finish(EVALUATION, started)
    return RunResult(tuple(stages), evaluation, out / EVALUATION / "report.html")


def _model_is_current(recipe: Recipe, *, data: Path, model: Path) -> bool:
    parents = expected_parents(recipe, read_manifest(data, DATA_KIND))
    return is_current(model, kind=MODEL_KIND, config=recipe.model_dump(mode="json"), parents=parents)
