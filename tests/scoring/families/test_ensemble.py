"""Several scorers as one."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from rewardsmith.core.conversation import assistant, user
from rewardsmith.core.errors import ModelError, SettingsError
from rewardsmith.core.scores import Provenance, Scorer, Scores, Truncating
from rewardsmith.models import checkpoint
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.numerics.combination import Standard
from rewardsmith.scoring.families.ensemble import FAMILY, EnsembleScorer, spec_of
from rewardsmith.scoring.families.spec import write_spec
from rewardsmith.scoring.load import load_scorer
from rewardsmith.text.load import prepared

TEXTS = [(user("What is it?"), assistant(answer)) for answer in ("A tree.", "I do not know at all.", "Nine.")]


class Known:
    """A scorer of given rewards."""

    def __init__(self, rewards: list[float], *, template: str = "t", cut: int = 0) -> None:
        self.rewards = rewards
        self.n_truncated = cut
        self.template = template

    def score(self, conversations) -> Scores:
        rewards = np.array([self.rewards[TEXTS.index(each)] for each in conversations], dtype=np.float32)
        return Scores(rewards, Provenance(str(self.rewards), self.template))


def three(**options) -> EnsembleScorer:
    """Members (1, 2, 3) on the first text, once their scale is taken from them."""
    members = [Known([11.0, 0.0, 10.0]), Known([4.0, 0.0, 2.0]), Known([3.0, 0.0, 0.0])]
    return EnsembleScorer(members, Standard(np.array([10.0, 0.0, 0.0]), np.array([1.0, 2.0, 1.0])), **options)


@pytest.mark.parametrize(("rule", "wanted"), [("mean", 2.0), ("worst", 1.0), ("penalised", 5 / 3)])
def test_rewards_are_standardised_and_then_combined(rule, wanted):
    scores = three(rule=rule, weight=0.5).score(TEXTS)

    assert scores.rewards[0] == pytest.approx(wanted)
    assert scores.rewards.dtype == np.float32
    assert scores.members == pytest.approx(np.array([[1, -10, 0], [2, 0, 1], [3, 0, 0]], dtype=np.float32))
    assert scores.spread == pytest.approx(scores.members.std(axis=0))


def test_another_rule_has_the_same_members_and_another_provenance():
    ensemble = three(rule="mean", weight=0.5)
    other = ensemble.with_rule("worst")
    assert other.members is not None
    assert other.score(TEXTS).rewards == pytest.approx(ensemble.score(TEXTS).members.min(axis=0))
    assert ensemble.rule == "mean"
    assert other.weight == 0.5
    assert other.provenance != ensemble.provenance
    assert ensemble.with_rule("penalised", weight=2.0).provenance != ensemble.with_rule("penalised").provenance


def test_provenance_is_of_members_and_scale_and_that_of_its_scores():
    ensemble = three()
    assert ensemble.score(TEXTS).provenance == ensemble.provenance
    assert ensemble.provenance.template_digest == "t"
    assert len(ensemble.score([])) == 0
    rescaled = EnsembleScorer(ensemble.members, Standard(np.zeros(3), np.ones(3)))
    assert rescaled.provenance != ensemble.provenance
    mixed = EnsembleScorer([Known([0.0]), Known([0.0], template="u")], Standard(np.zeros(2), np.ones(2)))
    assert mixed.provenance.template_digest not in ("t", "u")


def test_it_is_a_scorer_that_counts_what_was_cut():
    members = [Known([0.0], cut=2), Known([0.0], cut=5)]
    ensemble = EnsembleScorer(members, Standard(np.zeros(2), np.ones(2)))
    assert isinstance(ensemble, Scorer)
    assert isinstance(ensemble, Truncating)
    assert ensemble.n_truncated == 5


def test_what_is_no_ensemble_is_refused():
    standard = Standard(np.zeros(2), np.ones(2))
    with pytest.raises(SettingsError, match="wanted 2 members; got 1"):
        EnsembleScorer([Known([0.0])], standard)
    with pytest.raises(SettingsError, match="unknown rule"):
        EnsembleScorer([Known([0.0])] * 2, standard, rule="median")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="rewards disagreement"):
        EnsembleScorer([Known([0.0])] * 2, standard, rule="penalised", weight=-1.0)


@pytest.fixture
def folder(tiny, tmp_path):
    """Two tiny reward models and what joins them."""
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = RewardModel(tiny.llama())
        with torch.no_grad():
            model.output_layer.weight += 0.3 * torch.randn_like(model.output_layer.weight)
        checkpoint.save(model, prepared(tiny.decoder_tokenizer()), tmp_path / f"e/members/{seed}", max_tokens=200)
    standard = Standard(np.array([0.1, -0.2]), np.array([2.0, 0.5]))
    write_spec(tmp_path / "e", FAMILY, spec_of(["members/0", "members/1"], standard, rule="worst", weight=0.5))
    return tmp_path / "e"


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_a_folder_scores_as_its_members_do_and_can_be_moved(folder, tmp_path, engine):
    own = [load_scorer(folder / f"members/{number}").score(TEXTS).rewards for number in (0, 1)]
    folder.rename(tmp_path / "moved")

    scores = load_scorer(tmp_path / "moved", engine=engine).score(TEXTS)

    wanted = np.minimum((own[0] - 0.1) / 2.0, (own[1] + 0.2) / 0.5)
    assert scores.rewards == pytest.approx(wanted, abs=1e-5)
    assert scores.spread is not None


def test_options_reach_the_members(folder):
    ensemble = load_scorer(folder, max_tokens=20, overlength="truncate")
    ensemble.score(TEXTS)
    assert ensemble.n_truncated == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"members": []}, "not an ensemble"),
        ({"rule": "median"}, "not an ensemble"),
        ({"weight": -1}, "not an ensemble"),
        ({"surprise": 1}, "not an ensemble"),
        ({"members": ["members/0"]}, "a standard of other members"),
    ],
)
def test_a_broken_scorer_json_is_named(folder, change, message):
    path = folder / "scorer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelError, match=message) as caught:
        load_scorer(folder)
    assert "scorer.json" in str(caught.value)


def test_a_missing_member_is_an_error(folder):
    (folder / "members/1").rename(folder / "members/gone")
    with pytest.raises(ModelError, match="members/1"):
        load_scorer(folder)
