"""The temperature that turns a difference of rewards into a probability: σ((r_A − r_B) / T).

An evaluation or an audit fits T on held-out pairs (`audit.certainty.calibration`) and keeps it in its JSON. It holds
for the weights that were evaluated and for no others.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.store import artefact_kind, verify_artefact
from rewardsmith.serve.beside import artefacts_beside

logger = logging.getLogger(__name__)

# `audit.store.FINDINGS_NAMES`; that module loads torch, which the server's own process does without.
CALIBRATED: Mapping[str, str] = {"evaluation": "report.json", "audit": "audit.json"}
"""Kinds of artefact that hold a temperature → the file that holds it."""


def load_temperature(model: str | Path, digest: str, *, evaluations: Sequence[Path] = ()) -> float | None:
    """The temperature of the model with these weights; `None` where none was fitted on enough pairs.

    Evaluations that the operator names come before those that lie in the model's folder or beside it, as `rewardsmith
    run`, `evaluate` and `audit` leave them. Of several temperatures, the one from most pairs is taken.

    Args:
        model: Folder of the model; a hub id has nothing beside it.
        digest: Of the weights as the loaded model tells it (`Provenance.model_digest`).
        evaluations: Evaluations or audits of any models, since a server has several.

    Raises:
        ArtefactError: A folder of `evaluations` is neither, has changed since it was written, or cannot be read.
    """
    named = [folder for folder in evaluations if _digest(folder) == digest]
    fitted = [_fitted(folder) for folder in named] or _beside(model, digest)
    # The first of those from as many pairs, so that the same folders give the same temperature.
    return max(fitted, key=lambda each: each[0], default=(0, None))[1]


def _digest(folder: Path) -> str | None:
    """Of the weights that were evaluated."""
    kind = artefact_kind(folder)
    if kind not in CALIBRATED:
        raise ArtefactError("wrong kind of artefact", wanted="an evaluation or an audit", got=kind, where=str(folder))
    return verify_artefact(folder, kind).parents.get("model")


def _beside(model: str | Path, digest: str) -> list[tuple[int, float | None]]:
    found = []
    for folder, manifest in artefacts_beside(model, CALIBRATED, digest=digest):
        try:
            verify_artefact(folder, manifest.kind)
            found.append(_fitted(folder))
        except ArtefactError as error:
            # Without it probabilities are marked as not calibrated, which is no reason to stop.
            logger.warning("an evaluation beside the model does not count: %s", error.problem)
    return found


def _fitted(folder: Path) -> tuple[int, float | None]:
    """Pairs behind the temperature, and the temperature; 0 and `None` where the artefact says why there is none."""
    kind = artefact_kind(folder)
    path = folder / CALIBRATED[kind]
    try:
        values = json.loads(path.read_text("utf-8"))
        calibration: Any = (values["evaluation"] if kind == "audit" else values)["calibration"]
        value = calibration.get("temperature")
        if value is None or not math.isfinite(value) or value <= 0:
            return 0, None
        return int(calibration["before"]["nll_nats"]["n"]), float(value)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtefactError("unreadable calibration", got=error, where=str(path), fix="make it again") from error
