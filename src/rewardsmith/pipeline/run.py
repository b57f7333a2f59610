"""The main job: check and split → train → evaluate and report, each stage an artefact of its own.

Step traces and ratings are no pairs: their models have no card of the data and no report, and what the held-out side
says of them stands in the manifest of the model.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rewardsmith.audit.evaluation import Evaluation
from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import read_manifest
from rewardsmith.pipeline.describe import write_card
from rewardsmith.pipeline.evaluate import evaluate_model
from rewardsmith.pipeline.prepare import data_is_current, prepare_for
from rewardsmith.pipeline.train import train_recipe
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.train import KIND as MODEL_KIND

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
    """A finished run: its stages in order, the model's manifest, and what an evaluation on pairs found."""

    stages: tuple[StageResult, ...]
    model: Manifest
    evaluation: Evaluation | None = None
    report: Path | None = None
    card: Path | None = None


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
    has_pairs = recipe.family not in ("process", "attributes")
    card = write_card(out / DATA, out / CARD, name=recipe.name) if has_pairs else None
    finish(DATA, started, reused=reused)

    started = time.perf_counter()
    before = _digest(out / MODEL)
    model = train_recipe(recipe, out / DATA, out / MODEL)
    finish(MODEL, started, reused=model.digest == before)
    if not has_pairs:
        return RunResult(tuple(stages), model)

    started = time.perf_counter()
    evaluation = evaluate_model(out / MODEL, data=out / DATA, out=out / EVALUATION)
    finish(EVALUATION, started)
    return RunResult(tuple(stages), model, evaluation, out / EVALUATION / "report.html", card)


def _digest(folder: Path) -> str | None:
    """Of the manifest of the artefact that is there."""
    try:
        return read_manifest(folder, MODEL_KIND).digest
    except ArtefactError:
        return None
