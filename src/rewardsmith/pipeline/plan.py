"""What a run would cost, before it begins."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from rewardsmith.core.errors import SettingsError
from rewardsmith.pipeline.prepare import data_is_current, prepare_for
from rewardsmith.preferences.store import load_table
from rewardsmith.training.plan import plan
from rewardsmith.training.recipe import Recipe

_PLANNED = ("pairs", "ensemble")


def plan_run(recipe: Recipe, out: Path) -> dict[str, Any]:
    """`plan_training`; the data are prepared for it (into `out/data`) where they are not yet."""
    _require_plannable(recipe)
    data = out / "data"
    if not data_is_current(recipe, data):
        prepare_for(recipe, data)
    return plan_training(recipe, data)


def plan_training(recipe: Recipe, data: Path) -> dict[str, Any]:
    """The training's cost on the preferences artefact `data`: tokens, steps, seconds, bytes.

    Members of an ensemble are trained one after the other: steps and seconds are of all, memory is of one.

    Raises:
        SettingsError: The recipe is of a family whose cost is not known before.
    """
    _require_plannable(recipe)
    one = plan(recipe, load_table(data, "train"), heldout=load_table(data, "heldout"))
    if recipe.ensemble is None:
        return dataclasses.asdict(one)
    n = recipe.ensemble.members
    all_of_them = dataclasses.replace(one, optimiser_steps=n * one.optimiser_steps, seconds=n * one.seconds)
    return {"members": n, **dataclasses.asdict(all_of_them)}


def _require_plannable(recipe: Recipe) -> None:
    if recipe.family not in _PLANNED:
        raise SettingsError(
            "the cost of this family is not known before it is trained",
            wanted=" or ".join(_PLANNED),
            got=recipe.family,
            where="--plan",
            fix="train without --plan: progress is shown, and an interrupted training goes on",
        )
