"""Merged scorers: the rule over the members' rewards, and a folder that gives the same scores."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import DataError, ModelError, SettingsError
from rewardsmith.core.scores import Scorer
from rewardsmith.models import checkpoint
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.numerics.combination import Standard
from rewardsmith.numerics.merging import Constraint, Merge
from rewardsmith.scoring.families.merged import MergedScorer, spec_of
from rewardsmith.scoring.families.spec import write_spec
from rewardsmith.scoring.load import load_scorer
from rewardsmith.text.load import prepared

FEW: list[Conversation] = [(user("hi"), assistant("x" * k)) for k in (1, 30, 7)]
STANDARD = Standard(np.array([0.5, -1.0]), np.array([2.0, 0.25]))
MERGES = [
    Merge("sum"),
    Merge("standardised", standard=STANDARD),
    Merge("log-odds", temperatures=np.array([0.5, 3.0])),
    Merge("worst-cohort", standard=STANDARD),
    Merge("constrained", standard=STANDARD, constraint=Constraint(1, np.array([0.2, 0.0]), 3.0)),
]


@pytest.fixture(scope="module")
def folders(tiny: Any, tiny_reward_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A decoder and an encoder: members of other tokenizers."""
    folder = tmp_path_factory.mktemp("members") / "encoder"
    checkpoint.save(RewardModel(tiny.bert()), prepared(tiny.encoder_tokenizer()), folder, max_tokens=200)
    return {"helpful": tiny_reward_model, "harmless": folder}


@pytest.fixture(scope="module")
def members(folders: dict[str, Path]) -> dict[str, Scorer]:
    return {name: load_scorer(folder, device="cpu") for name, folder in folders.items()}


def test_rewards_are_the_rule_over_the_members(members: dict[str, Scorer]):
    rewards = np.stack([member.score(FEW).rewards for member in members.values()])
    for merge in MERGES:
        scores = MergedScorer(members, merge).score(FEW)

        np.testing.assert_allclose(scores.rewards, merge(rewards), rtol=1e-5)
        assert list(scores.attributes) == ["helpful", "harmless"]
        np.testing.assert_allclose(np.stack(list(scores.attributes.values())), merge.parts(rewards), rtol=1e-5)


def test_each_rule_is_another_model(members: dict[str, Scorer]):
    scorers = [MergedScorer(members, merge) for merge in MERGES]

    assert len({scorer.provenance.model_digest for scorer in scorers}) == len(MERGES)
    assert scorers[0].provenance == scorers[0].score(FEW).provenance


def test_members_and_rule_are_of_one_number(members: dict[str, Scorer]):
    with pytest.raises(DataError, match="other members"):
        MergedScorer({"helpful": members["helpful"]}, MERGES[1])


@pytest.mark.parametrize("merge", MERGES, ids=lambda merge: merge.rule)
def test_a_folder_gives_the_same_scores(
    merge: Merge, folders: dict[str, Path], members: dict[str, Scorer], tmp_path: Path
):
    for name, folder in folders.items():
        shutil.copytree(folder, tmp_path / name)
    write_spec(tmp_path, "merged", spec_of({name: name for name in folders}, merge))

    loaded = load_scorer(tmp_path, device="cpu")

    assert isinstance(loaded, MergedScorer)
    np.testing.assert_allclose(loaded.score(FEW).rewards, MergedScorer(members, merge).score(FEW).rewards, rtol=1e-5)
    assert loaded.provenance == MergedScorer(members, merge).provenance


def test_texts_that_are_cut_are_counted_once(folders: dict[str, Path]):
    members = {name: load_scorer(folder, device="cpu", overlength="truncate") for name, folder in folders.items()}
    scorer = MergedScorer(members, MERGES[0])

    scorer.score([(user("x" * 400), assistant("y")), FEW[0]])

    assert scorer.n_truncated == 1


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"rule": "median"}, "not a merged model"),
        ({"rule": "standardised", "parameters": {}}, "needs more"),
        ({"members": [{"name": "a", "path": "x"}, {"name": "a", "path": "y"}]}, "two members of one name"),
    ],
)
def test_a_damaged_folder_says_what_is_wrong(said: dict[str, Any], problem: str, tmp_path: Path):
    whole = {"members": [{"name": "a", "path": "a"}], "rule": "sum", "parameters": {}}
    write_spec(tmp_path, "merged", whole | said)

    with pytest.raises((ModelError, SettingsError), match=problem):
        load_scorer(tmp_path)
