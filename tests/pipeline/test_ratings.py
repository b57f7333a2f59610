"""The ratings of a recipe: for the model that will read them, and made anew only where something changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rewardsmith.core.errors import SettingsError
from rewardsmith.models.settings import ModelSettings
from rewardsmith.pipeline.ratings import prepare_ratings_for, ratings_are_current
from rewardsmith.preferences.settings import DataSettings, SourceSettings
from rewardsmith.scoring.families.attributes import AttributeScorer
from rewardsmith.scoring.load import load_scorer
from rewardsmith.training.attribute_settings import AttributeSettings
from rewardsmith.training.attributes import train_attributes
from rewardsmith.training.recipe import Recipe


def recipe_of(tmp_path: Path, base: str, **attributes: Any) -> Recipe:
    rows = [
        {"prompt": f"question {k}?", "response": "a" * (k % 7 + 1), "ratings": {"size": k % 7, "other": k % 2}}
        for k in range(40)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    data = DataSettings(sources=(SourceSettings(path=str(tmp_path / "rows.jsonl")),), max_tokens=100, heldout_share=0.3)
    return Recipe(data=data, model=ModelSettings(base=base), attributes=AttributeSettings(**attributes))


def test_ratings_are_made_anew_where_attributes_or_rows_changed(tiny: Any, tmp_path: Path):
    recipe = recipe_of(tmp_path, tiny.save_base(tmp_path / "base", "encoder"), names=("size",))

    manifest = prepare_ratings_for(recipe, tmp_path / "ratings")

    assert list(manifest.counts["attributes"]) == ["size"]
    assert ratings_are_current(recipe, tmp_path / "ratings")
    other = recipe.model_copy(update={"attributes": AttributeSettings(names=("-size",))})
    assert not ratings_are_current(other, tmp_path / "ratings")
    with (tmp_path / "rows.jsonl").open("a") as stream:
        stream.write("{}\n")
    assert not ratings_are_current(recipe, tmp_path / "ratings")


def test_heads_on_a_trained_model_read_its_own_tokens(tiny: Any, tiny_reward_model: Path, tmp_path: Path):
    """The recipe's base has another tokenizer, which is not asked."""
    base = tiny.save_base(tmp_path / "base", "encoder")
    recipe = recipe_of(tmp_path, base, features_from=str(tiny_reward_model), l2=1.0)

    prepare_ratings_for(recipe, tmp_path / "ratings")
    train_attributes(recipe, tmp_path / "ratings", tmp_path / "model")

    scorer = load_scorer(tmp_path / "model", device="cpu")
    assert isinstance(scorer, AttributeScorer)
    assert scorer.names == ("other", "size")


def test_another_recipe_has_no_ratings(tmp_path: Path):
    with pytest.raises(SettingsError, match="section `attributes:`"):
        prepare_ratings_for(Recipe(), tmp_path / "ratings")
