"""The data stage of a recipe with attributes: ratings, with the tokenizer of the model that will read them."""

from __future__ import annotations

from pathlib import Path

from rewardsmith.core.errors import SettingsError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import is_current
from rewardsmith.models.builtin import resolve
from rewardsmith.preferences.prepare import expected_parents
from rewardsmith.preferences.ratings.prepare import prepare_ratings
from rewardsmith.preferences.ratings.store import KIND
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer
from rewardsmith.training.attribute_settings import AttributeSettings
from rewardsmith.training.recipe import Recipe


def prepare_ratings_for(recipe: Recipe, out: Path) -> Manifest:
    """Write the ratings artefact of the recipe to `out`; raises what `prepare_ratings` does.

    Raises:
        SettingsError: The recipe has no `attributes` section.
    """
    return prepare_ratings(recipe.data, out, _encoder(recipe), attributes=_settings(recipe).names)


def ratings_are_current(recipe: Recipe, out: Path) -> bool:
    """Whether `out` holds the recipe's ratings, from the sources as they are now, for the model that will read them."""
    config = {"data": recipe.data.model_dump(mode="json"), "attributes": list(_settings(recipe).names)}
    return is_current(out, kind=KIND, config=config, parents=expected_parents(recipe.data, _encoder(recipe)))


def _encoder(recipe: Recipe) -> ConversationEncoder:
    """A trained reward model is read with the template that it was trained with."""
    trained = _settings(recipe).features_from
    path = resolve(recipe.model.base) if trained is None else trained
    return ConversationEncoder(
        load_tokenizer(path, keep_template=trained is not None), max_tokens=recipe.data.max_tokens
    )


def _settings(recipe: Recipe) -> AttributeSettings:
    if recipe.attributes is None:
        raise SettingsError("the recipe is not one of attributes", wanted="a section `attributes:`", where=recipe.name)
    return recipe.attributes
