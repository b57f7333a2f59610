"""Attribute heads: the weighted sum, other weights, and a folder that says what it needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import ModelError, SettingsError
from rewardsmith.core.scores import Scorer
from rewardsmith.scoring.families.attributes import AttributeHeads, AttributeScorer, weight_row
from rewardsmith.scoring.families.spec import write_spec
from rewardsmith.scoring.families.store import load_heads, save_heads
from rewardsmith.scoring.load import load_scorer
from rewardsmith.scoring.options import ScoringOptions
from rewardsmith.scoring.single import load_single

FEW: list[Conversation] = [(user("hi"), assistant("x" * k)) for k in (1, 30, 7)]
RNG = np.random.default_rng(0)
HEADS = AttributeHeads(
    ("helpfulness", "verbosity"), RNG.normal(size=(2, 32)).astype(np.float32), np.array([0.5, -1.0], np.float32)
)


@pytest.fixture
def scorer(tiny_reward_model: Path) -> AttributeScorer:
    base = load_single(tiny_reward_model, ScoringOptions(device="cpu"))
    return AttributeScorer(base, HEADS, {"helpfulness": 1.0, "verbosity": -0.3})


def test_a_head_reads_the_features():
    """2·1 + 3·10 + 0.5 and 0·1 + 1·10 − 1."""
    heads = AttributeHeads(("a", "b"), np.array([[2, 3], [0, 1]], np.float32), np.array([0.5, -1], np.float32))

    np.testing.assert_allclose(heads(np.array([[1, 10]], np.float32)), [[32.5], [9.0]])
    with pytest.raises(ModelError, match="heads of another model"):
        heads(np.zeros((1, 3), np.float32))
    with pytest.raises(ModelError, match="not those that are named"):
        AttributeHeads(("a",), heads.weight, heads.bias)


def test_one_head_gives_the_weighted_sum():
    features = RNG.normal(size=(4, 32)).astype(np.float32)

    weight, bias = HEADS.combined({"helpfulness": 2.0, "verbosity": -1.0})

    first, second = HEADS(features)
    np.testing.assert_allclose(features @ weight + bias, 2 * first - second, rtol=1e-6)


def test_rewards_are_the_weighted_sum_of_the_attributes(scorer: AttributeScorer):
    scores = scorer.score(FEW)

    assert isinstance(scorer, Scorer)
    assert list(scores.attributes) == ["helpfulness", "verbosity"]
    wanted = scores.attributes["helpfulness"] - 0.3 * scores.attributes["verbosity"]
    np.testing.assert_allclose(scores.rewards, wanted, rtol=1e-5)
    assert scores.rewards.std() > 0.01


def test_weights_may_be_chosen_when_scores_are_asked_for(scorer: AttributeScorer):
    other = scorer.with_weights({"verbosity": 2.0})

    scores, changed = scorer.score(FEW), other.score(FEW)

    np.testing.assert_allclose(changed.rewards, 2 * scores.attributes["verbosity"], rtol=1e-5)
    np.testing.assert_array_equal(changed.attributes["helpfulness"], scores.attributes["helpfulness"])
    assert changed.provenance.model_digest != scores.provenance.model_digest
    assert changed.provenance.template_digest == scores.provenance.template_digest
    assert other.weights == {"helpfulness": 0.0, "verbosity": 2.0}


@pytest.mark.parametrize("bad", [{"depth": 1.0}, {}, {"verbosity": 0.0}, {"verbosity": float("nan")}])
def test_weights_that_say_nothing_are_refused(bad: dict[str, float]):
    with pytest.raises(SettingsError, match=r"no attribute 'depth'|unusable weights"):
        weight_row(HEADS.names, bad)


def test_texts_that_are_cut_are_counted(tiny_reward_model: Path):
    base = load_single(tiny_reward_model, ScoringOptions(device="cpu", overlength="truncate"))
    scorer = AttributeScorer(base, HEADS, {"verbosity": 1.0})

    scorer.score([(user("x" * 300), assistant("y")), FEW[0]])

    assert scorer.n_truncated == 1


def test_a_folder_of_heads(tiny_reward_model: Path, scorer: AttributeScorer, tmp_path: Path):
    import shutil

    folder = tmp_path / "rm"
    shutil.copytree(tiny_reward_model, folder)
    save_heads(folder / "heads.safetensors", HEADS.weight, HEADS.bias)
    said = {"heads": "heads.safetensors", "names": list(HEADS.names), "weights": scorer.weights}
    write_spec(folder, "attributes", said)

    for engine in ("fast", "reference"):
        loaded = load_scorer(folder, engine=engine, device="cpu")
        assert isinstance(loaded, AttributeScorer)
        np.testing.assert_allclose(loaded.score(FEW).rewards, scorer.score(FEW).rewards, atol=1e-5)

    shorter = load_scorer(folder, device="cpu", weights={"verbosity": -1.0})
    np.testing.assert_allclose(shorter.score(FEW).rewards, -scorer.score(FEW).attributes["verbosity"], rtol=1e-5)

    write_spec(folder, "attributes", said | {"names": ["one"], "weights": {"one": 1.0}})
    with pytest.raises(ModelError, match="not those that are named"):
        load_scorer(folder, device="cpu")
    write_spec(folder, "attributes", {"heads": "heads.safetensors"})
    with pytest.raises(ModelError, match="unreadable scorer"):
        load_scorer(folder, device="cpu")
    write_spec(folder, "attributes", said | {"heads": "lost.safetensors"})
    with pytest.raises(ModelError, match="heads are missing"):
        load_scorer(folder, device="cpu")


def test_a_single_reward_has_nothing_to_weigh(tiny_reward_model: Path):
    with pytest.raises(SettingsError, match="nothing to weigh"):
        load_scorer(tiny_reward_model, device="cpu", weights={"helpfulness": 1.0})
    with pytest.raises(SettingsError, match="nothing to weigh"):
        load_scorer("http://127.0.0.1:9", weights={"helpfulness": 1.0})


def test_another_file_is_no_heads(tmp_path: Path):
    from safetensors.numpy import save_file

    save_file({"other": np.zeros(3, np.float32)}, tmp_path / "heads.safetensors")

    with pytest.raises(ModelError, match="something else"):
        load_heads(tmp_path / "heads.safetensors")
