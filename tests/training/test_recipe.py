"""The recipe: defaults for everything, nothing unknown, and a file that reads back as the same recipe."""

from __future__ import annotations

import pytest

from rewardsmith.core.errors import SettingsError
from rewardsmith.core.settings import parse_settings, parse_yaml
from rewardsmith.training.recipe import Recipe, recipe_yaml
from rewardsmith.training.settings import TrainingSettings


def test_the_resolved_file_reads_back():
    recipe = Recipe(name="größer", training=TrainingSettings(learning_rate=1e-5, epochs=0.5))

    text = recipe_yaml(recipe)

    assert parse_settings(Recipe, parse_yaml(text, where="test"), where="test") == recipe
    assert "größer" in text
    assert list(parse_yaml(text, where="test")) == ["name", "data", "model", "loss", "training"]


def test_a_misspelt_key_is_refused_with_the_right_one():
    with pytest.raises(SettingsError, match="did you mean 'learning_rate'"):
        parse_settings(Recipe, {"training": {"learningrate": 1e-5}}, where="recipe.yaml")


@pytest.mark.parametrize(
    "bad", [{"epochs": 0}, {"learning_rate": 0}, {"batch_size": 0}, {"precision": "fp16"}, {"warmup_share": 1.0}]
)
def test_values_that_cannot_be_are_refused(bad):
    with pytest.raises(SettingsError):
        parse_settings(TrainingSettings, bad, where="test")


def test_every_key_says_what_it_is_for():
    assert all(field.description for field in TrainingSettings.model_fields.values())


def test_what_only_logs_or_saves_does_not_decide():
    assert "save_every_steps" not in TrainingSettings().deciding()
    assert {"seed", "learning_rate", "select", "batch_size"} <= TrainingSettings().deciding().keys()
