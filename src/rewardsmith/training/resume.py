"""Where an interrupted training goes on: the last whole checkpoint of the very same run."""

from __future__ import annotations

import logging
from pathlib import Path

from rewardsmith.core.digest import digest_json
from rewardsmith.training.checkpoint import fault, steps_saved
from rewardsmith.training.precision import Precision
from rewardsmith.training.recipe import Recipe

logger = logging.getLogger(__name__)

_DIGEST_CHARS = 16


def run_digest(recipe: Recipe, parents_digest: str, *, precision: Precision, processes: int) -> str:
    """Digest of all that decides the weights: model, loss, training, data and base, arithmetic and number of processes.

    How often the run logs or saves is left out, so that these may be changed between interruption and resumption.
    """
    return digest_json(
        {
            "model": recipe.model.model_dump(mode="json"),
            "loss": recipe.loss.model_dump(mode="json"),
            "prior": None if recipe.prior is None else recipe.prior.model_dump(mode="json"),
            "training": recipe.training.deciding(),
            "parents": parents_digest,
            "precision": precision,
            "processes": processes,
        }
    )


def work_folder(out: Path, digest: str) -> Path:
    """Where the run with this digest keeps its checkpoints: beside the artefact, in `<out>.work/`."""
    return out.with_name(out.name + ".work") / digest[:_DIGEST_CHARS]


def last_complete_checkpoint(folder: Path) -> Path | None:
    """The latest checkpoint in `folder` that is whole, or `None`.

    Each later one that is not whole is named in a warning, with what it lacks, and left where it is.
    """
    for step, path in steps_saved(folder):
        problem = fault(path)
        if problem is None:
            logger.info("resuming from step %d (%s)", step, path)
            return path
        logger.warning("skipping the checkpoint of step %d, it is not whole: %s (%s)", step, problem, path)
    return None
