from __future__ import annotations

from pathlib import Path

from rewardsmith.pipeline.load import load_recipe

RATED = "data: {sources: [{path: old.jsonl, rating: helpfulness, min_rating_gap: 0.3}]}"


def test_one_data_path_keeps_how_the_recipe_reads_its_source(tmp_path: Path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RATED)
    (source,) = load_recipe(recipe, data=["new.jsonl"]).data.sources
    assert (source.path, source.rating, source.min_rating_gap) == ("new.jsonl", "helpfulness", 0.3)


def test_several_data_paths_are_read_by_their_columns(tmp_path: Path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RATED)
    sources = load_recipe(recipe, data=["a.jsonl", "b.jsonl"]).data.sources
    assert [(source.path, source.rating) for source in sources] == [("a.jsonl", None), ("b.jsonl", None)]


def test_what_is_said_about_reading_goes_for_every_source(tmp_path: Path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("data: {sources: [{path: a.jsonl, rating: helpfulness, split: old}, {path: owner/name}]}")
    sources = load_recipe(recipe, reading={"split": "test", "layout": "explicit"}).data.sources
    assert [(s.path, s.split, s.layout, s.rating) for s in sources] == [
        ("a.jsonl", "test", "explicit", "helpfulness"),
        ("owner/name", "test", "explicit", None),
    ]
    (named,) = load_recipe(None, data=["b.jsonl"], reading={"subset": "s"}).data.sources
    assert (named.path, named.subset) == ("b.jsonl", "s")


def test_overrides_go_over_the_file(tmp_path: Path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("training: {epochs: 2}")
    assert load_recipe(recipe, assignments=["training.epochs=3"]).training.epochs == 3
