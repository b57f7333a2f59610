"""The data stage as a recipe wants it: with the tokenizer of the recipe's model."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import is_current, read_manifest
from rewardsmith.models.builtin import resolve
from rewardsmith.pipeline.ratings import prepare_ratings_for, ratings_are_current
from rewardsmith.preferences.load import UNREACHED
from rewardsmith.preferences.prepare import expected_parents, prepare
from rewardsmith.preferences.steps.prepare import prepare_steps
from rewardsmith.preferences.steps.store import KIND as STEPS_KIND
from rewardsmith.preferences.store import KIND
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer
from rewardsmith.training.process_settings import ProcessSettings
from rewardsmith.training.recipe import Recipe

logger = logging.getLogger(__name__)


def encoder_of(recipe: Recipe) -> ConversationEncoder:
    """The encoder of the recipe's base model."""
    return ConversationEncoder(load_tokenizer(resolve(recipe.model.base)), max_tokens=recipe.data.max_tokens)


def prepare_for(recipe: Recipe, out: Path) -> Manifest:
    """Write the data that the recipe's family learns from to `out`: preferences, step traces or ratings."""
    match recipe.family:
        case "process":
            return prepare_steps(recipe.data, out, encoder_of(recipe), separator=_separator(recipe))
        case "attributes":
            return prepare_ratings_for(recipe, out)
        case _:
            return prepare(recipe.data, out, encoder_of(recipe))


def data_is_current(recipe: Recipe, out: Path) -> bool:
    """Whether `out` holds the recipe's data, from the sources as they are now, for the recipe's tokenizer.

    A hub data set that cannot be reached counts as unchanged, and a warning says so.
    """
    if recipe.family == "attributes":
        return ratings_are_current(recipe, out)
    kind = STEPS_KIND if recipe.family == "process" else KIND
    expected = expected_parents(recipe.data, encoder_of(recipe))
    assumed = _revisions_in(out, [name for name, digest in expected.items() if digest == UNREACHED], kind=kind)
    if not is_current(out, kind=kind, config=recipe.data.model_dump(mode="json"), parents=expected | assumed):
        return False
    for name, revision in assumed.items():
        logger.warning(
            "%s cannot be reached on its hub: %s is kept as it was prepared from revision %s", name, out, revision
        )
    return True


def _separator(recipe: Recipe) -> str:
    return ProcessSettings().separator if recipe.process is None else recipe.process.separator


def _revisions_in(out: Path, names: Sequence[str], *, kind: str) -> dict[str, str]:
    """What the artefact at `out`, if there is one, says about the sources `names`."""
    try:
        parents = read_manifest(out, kind).parents
    except ArtefactError:
        return {}
    return {name: parents[name] for name in names if name in parents}
