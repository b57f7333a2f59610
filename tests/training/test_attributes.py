"""From rated files to a model with a head an attribute, on a tiny base: what is learnt, kept and refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import ArtefactError, DataError, ModelError, SettingsError
from rewardsmith.core.store import verify_artefact
from rewardsmith.models.settings import ModelSettings
from rewardsmith.preferences.ratings.prepare import prepare_ratings
from rewardsmith.preferences.settings import DataSettings, SourceSettings
from rewardsmith.scoring.engine import FastScorer
from rewardsmith.scoring.families.attributes import AttributeScorer
from rewardsmith.scoring.load import load_scorer
from rewardsmith.scoring.options import ScoringOptions
from rewardsmith.scoring.single import load_single
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer
from rewardsmith.training.attribute_settings import AttributeSettings
from rewardsmith.training.attributes import train_attributes
from rewardsmith.training.recipe import Recipe

FEW: list[Conversation] = [(user("how loud?"), assistant(text)) for text in ("la la", "BOOM!", "quiet, quiet now")]


@dataclass(frozen=True)
class Prepared:
    recipe: Recipe
    data: Path


def rows(count: int) -> list[dict[str, Any]]:
    """Two sources of other scales; `loud` counts the capitals, `errors` the digits (lower is better)."""
    rng = np.random.default_rng(0)
    result = []
    for number in range(count):
        loud, errors = int(rng.integers(0, 5)), int(rng.integers(0, 4))
        text = "a" * (6 - loud) + "B" * loud + "7" * errors + "."
        ratings = {"loud": loud * (10 if number % 2 else 1), "errors": errors}
        own = {"prompt_id": f"g{number}", "prompt": f"question {number}", "response": text}
        result.append(own | {"ratings": ratings, "source": f"scale-{number % 2}"})
    return result


@pytest.fixture(scope="module")
def prepared(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("attributes")
    base = tiny.save_base(folder / "base", "decoder")
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(240)), "utf-8")
    sources = (SourceSettings(path=str(folder / "rows.jsonl")),)
    data = DataSettings(sources=sources, max_tokens=128, heldout_share=0.3, near_duplicate_similarity=None)
    attributes = AttributeSettings(names=("loud", "-errors"), weights={"loud": 1.0, "errors": 0.5}, l2=1.0)
    recipe = Recipe(name="tiny", data=data, model=ModelSettings(base=base), attributes=attributes)
    encoder = ConversationEncoder(load_tokenizer(base))
    prepare_ratings(data, folder / "ratings", encoder, attributes=attributes.names)
    return Prepared(recipe, folder / "ratings")


@pytest.fixture(scope="module")
def trained(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "model"
    train_attributes(prepared.recipe, prepared.data, out)
    return out


def test_heads_learn_their_attributes_on_unseen_prompts(trained: Path):
    manifest = verify_artefact(trained, "reward-model")

    heldout = manifest.counts["heldout"]
    assert heldout["loud"]["spearman"]["low"] > 0.7
    assert heldout["errors"]["spearman"]["low"] > 0.5
    assert heldout["loud"]["r_squared"]["value"] > 0.5
    assert heldout["loud"]["spearman"]["groups"] == manifest.counts["heldout_ratings"]
    assert manifest.counts["heads"]["loud"] == {"l2": 1.0, "train": manifest.counts["train_ratings"]}


def test_a_higher_value_is_better_also_where_lower_ratings_are(trained: Path):
    scorer = load_scorer(trained, device="cpu")
    wrong, right = ((user("question 5"), assistant(text)) for text in ("aaaBBB777.", "aaaBBB."))

    scores = scorer.score([wrong, right])

    assert scores.attributes["errors"][1] > scores.attributes["errors"][0] + 0.5


def test_the_folder_by_itself_gives_the_default_reward(trained: Path):
    """As plain transformers reads it; a decoder's head has no bias, so up to a constant."""
    whole, plain = load_scorer(trained, device="cpu"), load_single(trained, ScoringOptions(device="cpu"))
    assert isinstance(whole, AttributeScorer)

    wanted, found = whole.score(FEW), plain.score(FEW)

    gaps = wanted.rewards - found.rewards
    np.testing.assert_allclose(gaps, gaps[0], atol=1e-4)
    np.testing.assert_allclose(wanted.rewards, wanted.attributes["loud"] + 0.5 * wanted.attributes["errors"], atol=1e-4)
    assert whole.weights == {"loud": 1.0, "errors": 0.5}


def test_the_spec_says_what_a_value_means_in_each_source(trained: Path):
    standards = json.loads((trained / "scorer.json").read_text())["standards"]

    assert standards["scale-1"]["loud"]["mean"] == pytest.approx(10 * standards["scale-0"]["loud"]["mean"], rel=0.4)
    assert standards["scale-0"]["errors"]["sign"] == -1


def test_a_second_call_leaves_it_and_another_recipe_does_not(prepared: Prepared, trained: Path):
    before = (trained / "manifest.json").stat().st_mtime_ns

    train_attributes(prepared.recipe, prepared.data, trained)

    assert (trained / "manifest.json").stat().st_mtime_ns == before
    assert not trained.with_name("model.work").exists()


def test_an_interrupted_run_keeps_the_features(
    prepared: Prepared, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    computed: list[int] = []
    features = FastScorer.features

    def counted(self: FastScorer, conversations: Any) -> Any:
        computed.append(len(conversations))
        return features(self, conversations)

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(FastScorer, "features", counted)
    with monkeypatch.context() as patched:
        patched.setattr("rewardsmith.training.attributes.fit_ridge", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train_attributes(prepared.recipe, prepared.data, tmp_path / "model")
    assert not (tmp_path / "model").exists()
    first = sum(computed)

    again = train_attributes(prepared.recipe, prepared.data, tmp_path / "model")

    assert sum(computed) == first == again.counts["train_ratings"] + again.counts["heldout_ratings"]
    assert (
        again.files["attribute_heads.safetensors"]
        == verify_artefact(trained, "reward-model").files["attribute_heads.safetensors"]
    )
    assert list(tmp_path.iterdir()) == [tmp_path / "model"]


def test_heads_can_stand_on_a_trained_reward_model(prepared: Prepared, trained: Path, tmp_path: Path):
    attributes = AttributeSettings(features_from=str(trained), l2_grid=(0.1, 10.0))
    recipe = prepared.recipe.model_copy(update={"attributes": attributes})

    manifest = train_attributes(recipe, prepared.data, tmp_path / "model")

    scorer = load_scorer(tmp_path / "model", device="cpu")
    assert isinstance(scorer, AttributeScorer)
    assert scorer.weights == {"errors": 1.0, "loud": 1.0}
    assert manifest.parents.keys() == {"data", "base"}
    assert manifest.counts["heads"]["loud"]["l2"] in (0.1, 10.0)


@pytest.mark.parametrize(
    ("settings", "error", "problem"),
    [
        ({"names": ("errors",)}, SettingsError, "direction of 'errors'"),
        ({"names": ("depth",)}, DataError, "learn the attribute 'depth'"),
        ({"weights": {"depth": 1.0}}, SettingsError, "no attribute 'depth'"),
    ],
)
def test_what_does_not_go_with_the_data_is_refused(
    settings: dict[str, Any], error: type[Exception], problem: str, prepared: Prepared, tmp_path: Path
):
    recipe = prepared.recipe.model_copy(update={"attributes": AttributeSettings(**settings)})

    with pytest.raises(error, match=problem):
        train_attributes(recipe, prepared.data, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_other_recipes_data_and_models_are_refused(tiny: Any, prepared: Prepared, tmp_path: Path):
    with pytest.raises(SettingsError, match="section `attributes:`"):
        train_attributes(Recipe(), prepared.data, tmp_path / "model")
    with pytest.raises(ArtefactError, match=r"no manifest\.json"):
        train_attributes(prepared.recipe, tmp_path, tmp_path / "model")
    other = ModelSettings(base=tiny.save_base(tmp_path / "encoder", "encoder"))
    with pytest.raises(ModelError, match="prepared with another tokenizer"):
        train_attributes(prepared.recipe.model_copy(update={"model": other}), prepared.data, tmp_path / "model")
    two_layers = prepared.recipe.model.model_copy(update={"head": "mlp"})
    with pytest.raises(SettingsError, match="random features"):
        train_attributes(prepared.recipe.model_copy(update={"model": two_layers}), prepared.data, tmp_path / "model")
