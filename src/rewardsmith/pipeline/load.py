"""Recipes from files, and the built-in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path

from rewardsmith.core.store import load_settings
from rewardsmith.preferences.settings import SourceSettings
from rewardsmith.training.recipe import Recipe


def load_recipe(
    path: Path | None,
    *,
    assignments: Sequence[str] = (),
    data: Sequence[str] = (),
    reading: Mapping[str, str] | None = None,
) -> Recipe:
    """The recipe at `path` (the built-in one where absent), with overrides.

    Args:
        assignments: `section.key=value` overrides.
        data: Files or hub ids that take the place of the recipe's sources. A single one in place of a single one
            keeps its layout, rating and the like.
        reading: Keys of `SourceSettings` (layout, split, …) that go over those of every source.

    Raises:
        SettingsError: The file, a key or a value is wrong.
    """
    if path is not None:
        recipe = load_settings(Recipe, path, assignments)
    else:
        with as_file(files("rewardsmith.pipeline") / "default.yaml") as builtin:
            recipe = load_settings(Recipe, builtin, assignments)
    if not data and not reading:
        return recipe
    sources = recipe.data.sources
    if data and len(data) == len(sources) == 1:
        sources = (sources[0].model_copy(update={"path": data[0]}),)
    elif data:
        sources = tuple(SourceSettings(path=each) for each in data)
    sources = tuple(source.model_copy(update=dict(reading or {})) for source in sources)
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"sources": sources})})
