"""What a run would cost, before it begins."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from rewardsmith.pipeline.prepare import data_is_current, prepare_for
from rewardsmith.preferences.store import load_table
from rewardsmith.training.plan import plan
from rewardsmith.training.recipe import Recipe


def plan_run(recipe: Recipe, out: Path) -> dict[str, Any]:
    """The training's cost; the data are prepared for it (into `out/data`) where they are not yet."""
    data = out / "data"
    if not data_is_current(recipe, data):
        prepare_for(recipe, data)
    return plan_training(recipe, data)


def plan_training(recipe: Recipe, data: Path) -> dict[str, Any]:
    """The training's cost on the preferences artefact `data`: tokens, steps, seconds, bytes."""
    return dataclasses.asdict(plan(recipe, load_table(data, "train"), heldout=load_table(data, "heldout")))
