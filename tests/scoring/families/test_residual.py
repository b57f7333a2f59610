"""A prior and a residual as one scorer, and what its folder holds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import ModelError, OverlengthError
from rewardsmith.models import checkpoint
from rewardsmith.models.load import build
from rewardsmith.models.settings import ModelSettings
from rewardsmith.scoring.families.residual import ResidualScorer
from rewardsmith.scoring.load import load_scorer
from rewardsmith.scoring.priors.settings import PriorSettings, PriorTerm
from rewardsmith.scoring.priors.store import write_residual
from rewardsmith.text.load import load_tokenizer

FEW: list[Conversation] = [(user("hi"), assistant("o" * k)) for k in (1, 30, 7, 1)]
OWN = "tests.scoring.priors.own_prior"


def terms(*values: dict[str, Any]) -> tuple[PriorTerm, ...]:
    return PriorSettings.model_validate({"terms": values}).terms


@pytest.fixture(scope="module")
def base(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.save_base(tmp_path_factory.mktemp("residual") / "base", "decoder")


def save_model(base: str, folder: Path, *, seed: int = 4, without_residual: bool = False) -> Path:
    model = build(ModelSettings(base=base), seed=seed)
    if without_residual:
        with torch.no_grad():
            model.output_layer.weight.zero_()
    checkpoint.save(model, load_tokenizer(base), folder, base=base, max_tokens=100, portable=False)
    return folder


def rewards(folder: Path, **options: Any) -> Any:
    return load_scorer(folder, device="cpu", **options).score(FEW).rewards


def test_without_a_residual_the_reward_is_the_prior(base: str, tmp_path: Path) -> None:
    folder = save_model(base, tmp_path / "rm", without_residual=True)
    prior = terms({"kind": "length", "scale": 10}, {"kind": "callable", "function": f"{OWN}:vowels", "weight": -1})
    write_residual(folder, prior, scale=2.0)
    # 2·(n/10 − n) = −1.8·n, for n = 1, 30, 7, 1.
    np.testing.assert_allclose(rewards(folder), [-1.8, -54, -12.6, -1.8], rtol=1e-6)


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_the_reward_is_the_sum_of_its_parts(base: str, tmp_path: Path, engine: Any) -> None:
    folder = save_model(base, tmp_path / "rm")
    residual = rewards(folder)
    write_residual(folder, terms({"kind": "length", "shape": "log", "scale": 10, "weight": -3}), scale=0.5)

    scorer = load_scorer(folder, device="cpu", engine=engine)
    assert isinstance(scorer, ResidualScorer)
    scores = scorer.score(FEW)

    np.testing.assert_allclose(scores.attributes["residual"], residual, atol=1e-5)
    np.testing.assert_allclose(scores.attributes["prior"], -1.5 * np.log1p(np.array([1, 30, 7, 1]) / 10), rtol=1e-6)
    np.testing.assert_array_equal(scores.rewards, scores.attributes["prior"] + scores.attributes["residual"])
    assert scores.rewards.dtype == np.float32
    assert scores.provenance == scorer.provenance
    assert scorer.features(FEW[:2]).shape == (2, 32)
    assert len(scorer.score([])) == 0


def test_another_prior_is_another_model(base: str, tmp_path: Path) -> None:
    folder = save_model(base, tmp_path / "rm")
    found = []
    for weight, scale in ((1.0, 1.0), (2.0, 1.0), (1.0, 2.0)):
        write_residual(folder, terms({"kind": "length", "weight": weight}), scale=scale)
        found.append(load_scorer(folder, device="cpu").score(FEW).provenance)
    assert len({each.model_digest for each in found}) == 3
    assert len({each.template_digest for each in found}) == 1


def with_models(base: str, tmp_path: Path, **changes: Any) -> Path:
    save_model(base, tmp_path / "other", seed=9)
    folder = save_model(base, tmp_path / "rm")
    prior = terms(
        {"kind": "reward_model", "model": str(tmp_path / "other"), "weight": 0.5, **changes},
        {"kind": "log_probability", "model": base, "weight": 2.0, **changes},
    )
    write_residual(folder, prior, scale=1.0)
    return folder


def test_carried_models_move_with_the_folder(base: str, tmp_path: Path) -> None:
    folder = with_models(base, tmp_path)
    wanted = rewards(folder)
    alone = rewards(tmp_path / "other")
    scores = load_scorer(folder, device="cpu").score(FEW)
    shutil.rmtree(tmp_path / "other")
    (tmp_path / "far" / "away").mkdir(parents=True)
    shutil.move(folder, tmp_path / "far" / "away" / "rm")
    moved = tmp_path / "far" / "away" / "rm"

    np.testing.assert_array_equal(rewards(moved), wanted)
    # The language model's part: whatever is left is below 0, and equal texts have equal values.
    likely = scores.attributes["prior"] - 0.5 * alone
    assert (likely < 0).all()
    assert likely[0] == pytest.approx(likely[3])
    np.testing.assert_allclose(rewards(moved, cache=tmp_path / "cache"), wanted, atol=1e-6)
    np.testing.assert_allclose(rewards(moved, cache=tmp_path / "cache"), wanted, atol=1e-6)


def test_models_that_are_not_carried_are_found_by_their_path(base: str, tmp_path: Path) -> None:
    folder = with_models(base, tmp_path, carry=False)
    assert not (folder / "prior").exists()
    assert json.loads((folder / "scorer.json").read_text())["folders"][0] == "../other"
    wanted = rewards(folder)
    np.testing.assert_array_equal(rewards(folder), wanted)
    shutil.rmtree(tmp_path / "other")
    with pytest.raises(ModelError, match="a model of the prior is not there"):
        rewards(folder)


def test_a_prior_may_itself_be_a_family(base: str, tmp_path: Path) -> None:
    inner = save_model(base, tmp_path / "inner", seed=2)
    write_residual(inner, terms({"kind": "length", "scale": 5}), scale=1.0)
    outer = save_model(base, tmp_path / "outer", without_residual=True)
    write_residual(outer, terms({"kind": "reward_model", "model": str(inner)}), scale=1.0)
    np.testing.assert_allclose(rewards(outer), rewards(inner), atol=1e-6)
    # A family's folder may point to others, so it stays where it is.
    assert not (outer / "prior").exists()


def test_a_prior_that_has_changed_since_training_is_refused(base: str, tmp_path: Path) -> None:
    folder = with_models(base, tmp_path)
    save_model(base, folder / "prior" / "0", seed=10)
    with pytest.raises(ModelError, match="not the one of training"):
        rewards(folder)


def test_a_callable_that_has_changed_since_training_is_refused(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.scoring.priors import own_prior

    folder = save_model(base, tmp_path / "rm")
    write_residual(folder, terms({"kind": "callable", "function": f"{OWN}:vowels"}), scale=1.0)
    rewards(folder)
    monkeypatch.setattr(own_prior, "vowels", own_prior.words)
    with pytest.raises(ModelError, match="not the one of training"):
        rewards(folder)


@pytest.mark.parametrize("harm", [{"terms": 3}, {"scale": "much"}, {"folders": []}, {"digests": None}])
def test_a_damaged_spec_is_named(base: str, tmp_path: Path, harm: dict[str, Any]) -> None:
    folder = save_model(base, tmp_path / "rm")
    write_residual(folder, terms({"kind": "length"}), scale=1.0)
    path = folder / "scorer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | harm))
    with pytest.raises(ModelError, match="unreadable prior"):
        rewards(folder)


def test_long_conversations_follow_the_rule_of_each_part(base: str, tmp_path: Path) -> None:
    long = [(user("x" * 90), assistant("y" * 40))]
    save_model(base, tmp_path / "other", seed=9)
    folder = save_model(base, tmp_path / "rm")
    term = {"kind": "reward_model", "model": str(tmp_path / "other")}
    write_residual(folder, terms(term), scale=1.0)
    with pytest.raises(OverlengthError):
        load_scorer(folder, device="cpu", max_tokens=200).score(long)
    write_residual_again(folder, terms(term | {"overlength": "truncate"}))
    scorer = load_scorer(folder, device="cpu", max_tokens=200)
    scorer.score(long)
    assert scorer.n_truncated == 1  # type: ignore[attr-defined]
    with pytest.raises(OverlengthError):
        load_scorer(folder, device="cpu").score(long)


def write_residual_again(folder: Path, again: tuple[PriorTerm, ...]) -> None:
    shutil.rmtree(folder / "prior")
    write_residual(folder, again, scale=1.0)
