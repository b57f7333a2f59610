"""When prepared data are still what their sources hold. The local cache of `datasets` stands for the hub."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import datasets
import pytest

from rewardsmith.core.errors import DataError
from rewardsmith.pipeline.load import load_recipe
from rewardsmith.pipeline.prepare import data_is_current, prepare_for
from rewardsmith.training.recipe import Recipe


@pytest.fixture(scope="module")
def base(tiny, tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.save_base(tmp_path_factory.mktemp("base"), "decoder")


@pytest.fixture
def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """`publish(n)`: what is found under `owner/pairs` is a data set of n rows; of none, nothing is found."""
    cache = tmp_path / "cache"
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(cache))

    def write(n: int) -> None:
        shutil.rmtree(cache, ignore_errors=True)
        if n:
            source = tmp_path / "versions" / str(n) / "pairs"
            source.mkdir(parents=True)
            rows = ({"prompt": f"how many {k}", "chosen": f"about {k}", "rejected": "no idea"} for k in range(n))
            (source / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            datasets.load_dataset(str(source), cache_dir=str(cache))
            (cache / "pairs").rename(cache / "owner___pairs")

    return write


def recipe_of(base: str, *more: str) -> Recipe:
    keys = [f"model.base={base}", "data.max_tokens=250", "data.near_duplicate_similarity=null", *more]
    return load_recipe(None, assignments=keys, data=["owner/pairs"])


def test_a_changed_hub_data_set_is_noticed(base: str, publish, tmp_path: Path):
    recipe, out = recipe_of(base), tmp_path / "data"
    publish(40)
    before = prepare_for(recipe, out)
    assert before.counts["read"] == 40
    assert before.parents["owner/pairs"] not in ("", "unreached")
    assert data_is_current(recipe, out)
    publish(50)
    assert not data_is_current(recipe, out)
    after = prepare_for(recipe, out)
    assert after.counts["read"] == 50
    assert after.parents["owner/pairs"] != before.parents["owner/pairs"]


def test_without_the_hub_what_was_prepared_is_kept_and_said_to_be(base: str, publish, tmp_path: Path, caplog):
    recipe, out = recipe_of(base), tmp_path / "data"
    publish(40)
    revision = prepare_for(recipe, out).parents["owner/pairs"]
    publish(0)
    with caplog.at_level(logging.WARNING, logger="rewardsmith"):
        assert data_is_current(recipe, out)
    assert f"owner/pairs cannot be reached on its hub: {out} is kept as it was prepared" in caplog.text
    assert revision in caplog.text
    caplog.clear()
    # Other settings would need the rows, and without an artefact there is nothing to keep.
    assert not data_is_current(recipe_of(base, "data.heldout_share=0.25"), out)
    assert not data_is_current(recipe, tmp_path / "nothing")
    assert "is kept" not in caplog.text
    with pytest.raises(DataError, match="neither a local file or folder"):
        prepare_for(recipe, tmp_path / "nothing")


def test_a_changed_file_is_noticed(base: str, tmp_path: Path):
    path, out = tmp_path / "pairs.jsonl", tmp_path / "data"
    rows = [{"prompt": f"how many {k}", "chosen": f"about {k}", "rejected": "no idea"} for k in range(41)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows[:40]))
    recipe = load_recipe(None, assignments=[f"model.base={base}", "data.max_tokens=250"], data=[str(path)])
    prepare_for(recipe, out)
    assert data_is_current(recipe, out)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert not data_is_current(recipe, out)
