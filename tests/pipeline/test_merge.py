"""Models of two cohorts, merged from their folders: what is fitted, on what, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import ModelError, SettingsError
from rewardsmith.core.store import verify_artefact
from rewardsmith.models import checkpoint
from rewardsmith.models.merging import set_head
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.numerics.calibration import fit_temperature
from rewardsmith.pipeline.evaluate import evaluate_model
from rewardsmith.pipeline.merge import MergeSettings, merge_models
from rewardsmith.scoring.engine import FastScorer
from rewardsmith.scoring.families.merged import MergedScorer
from rewardsmith.scoring.load import load_scorer
from rewardsmith.text.load import prepared

COHORTS = ("helpful", "harmless")
FEW: list[Conversation] = [(user("hi"), assistant("x" * k)) for k in (1, 30, 7)]


@pytest.fixture(scope="module")
def members(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two heads on one backbone; the second is fifty times as loud."""
    folder = tmp_path_factory.mktemp("members")
    for number, name in enumerate(COHORTS):
        model = RewardModel(tiny.llama())
        set_head(model, np.random.default_rng(number).normal(size=tiny.HIDDEN) * (50 if number else 1), 0.0)
        checkpoint.save(model, prepared(tiny.decoder_tokenizer()), folder / name, max_tokens=200)
    return [folder / name for name in COHORTS]


@pytest.fixture(scope="module")
def pairs(members: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each cohort prefers mostly what its own member prefers."""
    folder = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    for name, member in zip(COHORTS, members, strict=True):
        scorer = load_scorer(member, device="cpu")
        prompts = [f"{name} {number}" for number in range(40)]
        texts = [["".join(rng.choice(list("abcdef "), 12)) + "." for _ in range(2)] for _ in prompts]
        asked = [(user(p), assistant(t)) for p, both in zip(prompts, texts, strict=True) for t in both]
        rewards = scorer.score(asked).rewards.reshape(-1, 2)
        best = np.where(rng.random(40) < 0.8, rewards.argmax(axis=1), rewards.argmin(axis=1))
        rows = [
            {"prompt": prompt, "chosen": both[at], "rejected": both[1 - at]}
            for prompt, both, at in zip(prompts, texts, best.tolist(), strict=True)
        ]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return {name: folder / f"{name}.jsonl" for name in COHORTS}


def merged(members: list[Path], pairs: dict[str, Path], out: Path, **settings: Any) -> Any:
    merge_models(members, out, cohorts=pairs, settings=MergeSettings(**settings))
    return load_scorer(out, device="cpu")


def test_the_loud_member_decides_a_sum_and_not_a_standardised_one(
    members: list[Path], pairs: dict[str, Path], tmp_path: Path
):
    quiet, loud = (load_scorer(member, device="cpu").score(FEW).rewards for member in members)

    naive = merged(members, pairs, tmp_path / "sum", rule="sum").score(FEW)
    fair = merged(members, pairs, tmp_path / "fair").score(FEW)

    np.testing.assert_allclose(naive.rewards, quiet + loud, rtol=1e-5)
    spreads = [values.std() for values in fair.attributes.values()]
    assert max(spreads) < 4 * min(spreads)
    np.testing.assert_allclose(fair.rewards, sum(fair.attributes.values()), atol=1e-5)


def test_temperatures_are_those_of_each_members_own_cohort(members: list[Path], pairs: dict[str, Path], tmp_path: Path):
    scorer = merged(members, pairs, tmp_path / "out", rule="log-odds")

    wanted = []
    for member, path in zip(members, pairs.values(), strict=True):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        texts = [(user(row["prompt"]), assistant(row[side])) for row in rows for side in ("chosen", "rejected")]
        rewards = load_scorer(member, device="cpu").score(texts).rewards.reshape(-1, 2).astype(np.float64)
        wanted.append(fit_temperature(rewards[:, 0] - rewards[:, 1]))
    assert isinstance(scorer, MergedScorer)
    np.testing.assert_allclose(scorer.merge.temperatures, wanted, rtol=1e-3)


def test_a_threshold_is_a_quantile_of_the_preferred_responses(
    members: list[Path], pairs: dict[str, Path], tmp_path: Path
):
    scorer = merged(members, pairs, tmp_path / "out", rule="constrained", quantile=0.5, thresholds={"helpful": 9.0})

    assert isinstance(scorer, MergedScorer)
    constraint = scorer.merge.constraint
    assert constraint is not None
    assert (constraint.objective, constraint.thresholds[0], constraint.strength) == (0, 9.0, 4.0)
    rows = [json.loads(line) for line in pairs["harmless"].read_text().splitlines()]
    chosen = scorer.score([(user(row["prompt"]), assistant(row["chosen"])) for row in rows])
    assert np.median(chosen.attributes["harmless"]) == pytest.approx(constraint.thresholds[1], abs=1e-4)


def test_the_manifest_says_what_each_cohort_gains_and_loses(
    members: list[Path], pairs: dict[str, Path], tmp_path: Path
):
    merged(members, pairs, tmp_path / "out", rule="worst-cohort")

    counts = verify_artefact(tmp_path / "out", "reward-model").counts
    assert counts["pairs"] == {"helpful": 40, "harmless": 40}
    for name in COHORTS:
        assert 0.65 < counts["accuracy"][name][name]["value"] < 0.95
        assert counts["accuracy"][name]["merged"]["n"] == 40


def test_heads_on_one_backbone_become_one_model(members: list[Path], pairs: dict[str, Path], tmp_path: Path):
    one = merged(members, pairs, tmp_path / "one", one_model=True)
    two = merged(members, pairs, tmp_path / "two")

    assert isinstance(one, FastScorer)
    gaps = one.score(FEW).rewards - two.score(FEW).rewards
    np.testing.assert_allclose(gaps, gaps[0], atol=1e-4)


def test_a_merged_model_can_be_moved(members: list[Path], pairs: dict[str, Path], tmp_path: Path):
    scores = merged(members, pairs, tmp_path / "here").score(FEW)

    moved = (tmp_path / "here").rename(tmp_path / "there")

    found = load_scorer(moved, device="cpu").score(FEW)
    np.testing.assert_array_equal(found.rewards, scores.rewards)
    assert found.provenance == scores.provenance


def test_a_merged_model_is_evaluated_like_any_other(members: list[Path], pairs: dict[str, Path], tmp_path: Path):
    merge_models(members, tmp_path / "out", cohorts=pairs)

    evaluation = evaluate_model(tmp_path / "out", data=pairs["helpful"], out=tmp_path / "report")

    known = verify_artefact(tmp_path / "out", "reward-model").counts["accuracy"]["helpful"]["merged"]
    found = next(each for each in evaluation.findings if each.name == "accuracy.heldout")
    assert found.estimate.value == pytest.approx(known["value"])
    assert (tmp_path / "report" / "report.html").is_file()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"objective": "honest"}, "no such cohort"),
        ({"thresholds": {"honest": 1.0}}, "no such cohort"),
        ({"rule": "sum", "one_model": True}, "one rule only"),
    ],
)
def test_settings_that_do_not_go_together(
    settings: dict[str, Any], problem: str, members: list[Path], pairs: dict[str, Path], tmp_path: Path
):
    with pytest.raises(SettingsError, match=problem):
        merged(members, pairs, tmp_path / "out", **settings)


def test_models_that_do_not_go_together(members: list[Path], pairs: dict[str, Path], tmp_path: Path):
    with pytest.raises(SettingsError, match="models and cohorts"):
        merge_models(members, tmp_path / "out", cohorts={"helpful": pairs["helpful"]})
    with pytest.raises(SettingsError, match="bad name"):
        merge_models(members, tmp_path / "out", cohorts={"../x": pairs["helpful"], "y": pairs["harmless"]})
    with pytest.raises(SettingsError, match="no such folder"):
        merge_models([members[0], tmp_path / "none"], tmp_path / "out", cohorts=pairs)
    with pytest.raises(ModelError, match="inside a member"):
        merge_models(members, members[0] / "out", cohorts=pairs)
