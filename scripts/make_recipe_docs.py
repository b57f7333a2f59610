"""Writes docs/recipes.md from the settings classes, so that no setting goes undocumented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from rewardsmith.core.settings import Settings
from rewardsmith.losses.settings import LossSettings
from rewardsmith.models.settings import ModelSettings
from rewardsmith.preferences.settings import DataSettings, SourceSettings
from rewardsmith.scoring.priors.settings import PriorSettings, PriorTerm
from rewardsmith.training.attribute_settings import AttributeSettings
from rewardsmith.training.ensemble_settings import EnsembleSettings
from rewardsmith.training.generative_settings import GenerativeSettings
from rewardsmith.training.process_settings import ProcessSettings
from rewardsmith.training.settings import TrainingSettings

PATH = Path(__file__).parents[1] / "docs" / "recipes.md"

SECTIONS: dict[str, type[Settings]] = {
    "data": DataSettings,
    "data.sources[]": SourceSettings,
    "model": ModelSettings,
    "loss": LossSettings,
    "training": TrainingSettings,
    "prior": PriorSettings,
    "prior.terms[]": PriorTerm,
    "process": ProcessSettings,
    "attributes": AttributeSettings,
    "ensemble": EnsembleSettings,
    "generative": GenerativeSettings,
}

INTRODUCTION = """# Recipes

<!-- Written by scripts/make_recipe_docs.py; change the settings classes instead. -->

A recipe is a YAML file with a `name` and the sections below. Every key has a default; a key that does not exist is an
error that names the nearest one. `--set section.key=value` overrides a key on the command line; an item of a list goes
by its number, from 0: `--set data.sources.0.path=pairs.jsonl`. Numbers may be written as `1e-5`; in quotes they are
text. The resolved recipe is saved with the model as `recipe.yaml`, and is itself a recipe.
"""


def recipe_docs() -> str:
    """The whole page."""
    return INTRODUCTION + "".join(_section(name, kind) for name, kind in SECTIONS.items())


def _section(name: str, kind: type[Settings]) -> str:
    rows = "".join(_row(key, field) for key, field in kind.model_fields.items())
    head = "| key | values | default | meaning |\n| --- | --- | --- | --- |\n"
    return f"\n## {name}\n\n{kind.__doc__ or ''}\n\n{head}{rows}"


def _row(key: str, field: FieldInfo) -> str:
    meaning = " ".join((field.description or "").split()).replace("|", "\\|")
    return f"| `{key}` | {_type(field.annotation)} | {_default(field)} | {meaning} |\n"


def _type(annotation: Any) -> str:
    """`int | None` and the like, short: no module names, no quotes of `Literal`."""
    text = (
        annotation.__name__ if isinstance(annotation, type) and not hasattr(annotation, "__args__") else str(annotation)
    )
    modules = ("rewardsmith.preferences.settings.", "rewardsmith.scoring.priors.settings.")
    for noise in ("typing.", *modules, "Literal", "NoneType"):
        text = text.replace(noise, "None" if noise == "NoneType" else "")
    return "`" + text.replace("|", "\\|") + "`"


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if isinstance(field.default, tuple) and any(isinstance(each, Settings) for each in field.default):
        return ", ".join(f"`{each.model_dump(exclude_defaults=True)}`" for each in field.default)
    if isinstance(field.default, str) and not field.default.isprintable():
        return f"`{field.default!r}`"
    return f"`{field.default}`"


if __name__ == "__main__":
    PATH.write_text(recipe_docs(), encoding="utf-8")
