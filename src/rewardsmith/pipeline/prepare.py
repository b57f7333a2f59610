"""The data stage as a recipe wants it: with the tokenizer of the recipe's model."""

from __future__ import annotations

from pathlib import Path

from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import is_current
from rewardsmith.models.builtin import resolve
from rewardsmith.preferences.prepare import expected_parents, prepare
from rewardsmith.preferences.store import KIND
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer
from rewardsmith.training.recipe import Recipe


def encoder_of(recipe: Recipe) -> ConversationEncoder:
    """The encoder of the recipe's base model."""
    return ConversationEncoder(load_tokenizer(resolve(recipe.model.base)), max_tokens=recipe.data.max_tokens)


def prepare_for(recipe: Recipe, out: Path) -> Manifest:
    """Write the preferences artefact of the recipe to `out`."""
    return prepare(recipe.data, out, encoder_of(recipe))


def data_is_current(recipe: Recipe, out: Path) -> bool:
    """Whether `out` holds the recipe's preferences, from the files as they are now, for the recipe's tokenizer."""
    config = recipe.data.model_dump(mode="json")
    return is_current(out, kind=KIND, config=config, parents=expected_parents(recipe.data, encoder_of(recipe)))
