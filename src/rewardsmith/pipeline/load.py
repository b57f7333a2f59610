"""Recipes from files, and the built-in one."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

from rewardsmith.core.store import load_settings
from rewardsmith.preferences.settings import SourceSettings
from rewardsmith.training.recipe import Recipe


def load_recipe(path: Path | None, *, assignments: Sequence[str] = (), data: Sequence[str] = ()) -> Recipe:
    """The recipe at `path` (the built-in one where absent), with overrides.

    Args:
        assignments: `section.key=value` overrides.
        data: Files or hub ids that take the place of the recipe's sources. A single one in place of a single one
            keeps its layout, rating and the like.

    Raises:
        SettingsError: The file, a key or a value is wrong.
    """
    if path is not None:
        recipe = load_settings(Recipe, path, assignments)
    else:
        with as_file(files("rewardsmith.pipeline") / "default.yaml") as builtin:
            recipe = load_settings(Recipe, builtin, assignments)
    if not data:
        return recipe
    old = recipe.data.sources
    if len(data) == len(old) == 1:
        sources = (old[0].model_copy(update={"path": data[0]}),)
    else:
        sources = tuple(SourceSettings(path=each) for each in data)
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"sources": sources})})
