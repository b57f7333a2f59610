"""A recipe of each family, from its file to a scorer and to a second run that changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import DataError
from rewardsmith.pipeline.load import load_recipe
from rewardsmith.pipeline.run import run
from rewardsmith.scoring.families.attributes import AttributeScorer
from rewardsmith.scoring.families.ensemble import EnsembleScorer
from rewardsmith.scoring.families.process import ProcessScorer
from rewardsmith.scoring.families.residual import ResidualScorer
from rewardsmith.scoring.load import load_scorer

PAIRS = ["data.limit=40", "data.max_tokens=250", "data.overlength=truncate", "training.epochs=1"]


def step_rows(path: Path) -> str:
    rows = [
        {"prompt": f"sum {n}", "completions": [f"one {n}", f"two {n}"], "labels": [True, n % 2 == 0]} for n in range(24)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def rating_rows(path: Path) -> str:
    rows = [
        {"prompt": f"question {n}", "response": "a" * (1 + n % 5), "ratings": {"length": n % 5, "calm": (n // 2) % 3}}
        for n in range(40)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def process(folder: Path) -> list[str]:
    source = f"data.sources=[{{path: {step_rows(folder / 'steps.jsonl')}}}]"
    return [source, "data.near_duplicate_similarity=null", "training.epochs=1", "process={}"]


def attributes(folder: Path) -> list[str]:
    source = f"data.sources=[{{path: {rating_rows(folder / 'ratings.jsonl')}}}]"
    return [source, "data.near_duplicate_similarity=null", "attributes.names=[length, calm]"]


def ensemble(_: Path) -> list[str]:
    return [*PAIRS, "ensemble.members=2", "model.trainable=head"]


def residual(_: Path) -> list[str]:
    return [*PAIRS, "prior.terms=[{kind: length}]", "model.trainable=head"]


@pytest.mark.parametrize(
    ("settings", "family", "stages"),
    [
        (process, ProcessScorer, ["data", "model"]),
        (attributes, AttributeScorer, ["data", "model"]),
        (ensemble, EnsembleScorer, ["data", "model", "evaluation"]),
        (residual, ResidualScorer, ["data", "model", "evaluation"]),
    ],
)
def test_a_recipe_of_each_family_runs_scores_and_runs_again(
    settings: Callable[[Path], list[str]], family: type, stages: list[str], tiny: Any, tmp_path: Path
):
    base = tiny.save_base(tmp_path / "base", "decoder")
    recipe = load_recipe(None, assignments=[f"model.base={base}", *settings(tmp_path)])
    result = run(recipe, tmp_path / "out")
    assert [stage.name for stage in result.stages] == stages

    scorer = load_scorer(tmp_path / "out" / "model", overlength="truncate")
    assert isinstance(scorer, family)
    rewards = scorer.score([(user("sum 3"), assistant(text)) for text in ("one 3", "two 3 and more")]).rewards
    assert np.isfinite(rewards).all()
    assert rewards[0] != rewards[1]

    again = run(recipe, tmp_path / "out")
    assert {stage.name for stage in again.stages if stage.reused} >= {"data", "model"}
    assert again.model.digest == result.model.digest


def test_ratings_that_are_not_there_are_named(tiny: Any, tmp_path: Path):
    base = tiny.save_base(tmp_path / "base", "decoder")
    missing = tmp_path / "ratings.jsonl"
    said = [f"model.base={base}", f"data.sources=[{{path: {missing}}}]", "attributes.names=[length]"]
    with pytest.raises(DataError, match=r"ratings\.jsonl"):
        run(load_recipe(None, assignments=said), tmp_path / "out")
    assert not (tmp_path / "out" / "data").exists()
