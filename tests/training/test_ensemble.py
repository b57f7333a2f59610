"""From a preferences artefact to an ensemble, or to the mean of its members' weights."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.training.toy import toy_table, toy_trainer, write_base, write_data

import rewardsmith.training.train as single
from rewardsmith.core.errors import SettingsError
from rewardsmith.core.settings import parse_settings, parse_yaml
from rewardsmith.core.store import read_manifest, verify_artefact
from rewardsmith.models.checkpoint import read_card
from rewardsmith.models.load import load_checkpoint
from rewardsmith.models.settings import ModelSettings
from rewardsmith.preferences.store import load_table
from rewardsmith.scoring.families.ensemble import EnsembleScorer
from rewardsmith.scoring.families.reference_set import reference_set
from rewardsmith.scoring.load import load_scorer
from rewardsmith.training.ensemble import mean_log, member_recipe, train_ensemble
from rewardsmith.training.ensemble_settings import EnsembleSettings
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.settings import TrainingSettings
from rewardsmith.training.train import train


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The data and a recipe of two members."""
    folder = tmp_path_factory.mktemp("made")
    base = write_base(folder / "base")
    training = TrainingSettings(epochs=2, learning_rate=1e-2, batch_size=8, precision="float32", seed=5)
    ensemble = EnsembleSettings(members=2, rule="worst")
    return write_data(folder / "data", base), Recipe(
        model=ModelSettings(base=str(base)), training=training, ensemble=ensemble
    )


def changed(recipe: Recipe, **ensemble) -> Recipe:
    assert recipe.ensemble is not None
    return recipe.model_copy(update={"ensemble": recipe.ensemble.model_copy(update=ensemble)})


@pytest.fixture(scope="module")
def trained(made, tmp_path_factory):
    """The finished ensemble, and its manifest."""
    data, recipe = made
    out = tmp_path_factory.mktemp("trained") / "ensemble"
    return out, train_ensemble(recipe, data, out)


def test_the_artefact_holds_whole_members_and_is_what_its_recipe_says(made, trained):
    (data, recipe), (out, manifest) = made, trained

    assert verify_artefact(out, "reward-model") == manifest
    assert manifest.config == recipe.model_dump(mode="json") | {"data": read_manifest(data, "preferences").config}
    saved = parse_settings(Recipe, parse_yaml((out / "recipe.yaml").read_text(), where=""), where="")
    assert saved.model_dump(mode="json") == manifest.config
    for number in (0, 1):
        member = verify_artefact(out / f"members/{number}", "reward-model")
        assert member.config["ensemble"] is None
        assert manifest.counts["members"][number]["heldout"] == member.counts["heldout"]
    assert manifest.parents == read_manifest(out / "members/0", "reward-model").parents
    assert manifest.counts["pairs"] == 2 * read_manifest(out / "members/0", "reward-model").counts["pairs"]
    assert not list(out.parent.glob("ensemble.work*"))


def test_members_are_standardised_on_the_training_side(made, trained):
    (data, _), (out, manifest) = made, trained
    ensemble = load_scorer(out)
    assert isinstance(ensemble, EnsembleScorer)
    assert (ensemble.rule, ensemble.weight) == ("worst", 0.5)

    known = reference_set(load_table(data, "train"), seed=5)
    members = ensemble.score(known.conversations).members
    assert members is not None
    assert manifest.counts["reference_conversations"] == len(known)
    assert members.mean(axis=1) == pytest.approx([0, 0], abs=1e-5)
    # Pooled variance within prompts: squared deviations over responses less prompts.
    names, squares = np.array(known.groups), np.zeros(2)
    for name in set(known.groups):
        own = members[:, names == name]
        squares += ((own - own.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    assert squares / (len(names) - len(set(known.groups))) == pytest.approx([1, 1], rel=1e-4)


def test_the_heldout_accuracy_is_that_of_the_combined_reward(made, trained):
    (data, _), (out, manifest) = made, trained
    table, ensemble = load_table(data, "heldout"), load_scorer(out)
    margins = [np.subtract(*ensemble.score([each.conversation(k) for k in (0, 1)]).rewards) for each in table]
    chosen_first = [1 if each.pairs[0].chosen == 0 else -1 for each in table]
    credits = [(np.sign(margin * sign) + 1) / 2 for margin, sign in zip(margins, chosen_first, strict=True)]
    assert manifest.counts["heldout"]["accuracy"] == pytest.approx(np.mean(credits))
    assert manifest.counts["heldout"]["directed_pairs"] == len(table)


def test_members_differ_by_seed_alone_or_by_a_bootstrap_too(made):
    _, recipe = made
    by_seed, by_bootstrap = member_recipe(recipe, 2), member_recipe(changed(recipe, by="bootstrap"), 2)
    assert (by_seed.training.seed, by_seed.training.data_seed, by_seed.training.bootstrap) == (7, 7, False)
    assert (by_bootstrap.training.seed, by_bootstrap.training.data_seed) == (7, 7)
    assert by_bootstrap.training.bootstrap
    assert by_seed.ensemble is None
    assert by_seed.name == "reward-model-2"


def test_models_to_be_averaged_start_from_one_head(made):
    _, recipe = made
    own = [member_recipe(changed(recipe, average="weights"), number).training for number in range(3)]
    assert [each.seed for each in own] == [5, 5, 5]
    assert [each.data_seed for each in own] == [5, 6, 7]


def test_a_member_is_what_its_recipe_trains_by_itself(made, trained, tmp_path):
    (data, recipe), (out, _) = made, trained
    train(member_recipe(recipe, 1), data, tmp_path / "alone")
    alone, inside = (load_file(place / "model.safetensors") for place in (tmp_path / "alone", out / "members/1"))
    assert all(torch.equal(alone[name], inside[name]) for name in alone)


def test_the_order_has_a_seed_of_its_own(tmp_path):
    def order(**seeds):
        loader = toy_trainer(tmp_path, toy_table(24), batch_size=3, **seeds).get_train_dataloader()
        return [sorted(step) for step in loader.batch_sampler]

    assert order(seed=1, data_seed=4) == order(seed=2, data_seed=4)
    assert order(seed=4) == order(seed=1, data_seed=4)
    assert order(seed=1) != order(seed=1, data_seed=4)


def test_a_bootstrap_trains_on_the_drawn_groups(made, tmp_path):
    data, recipe = made
    own = recipe.training.model_copy(update={"bootstrap": True, "epochs": 1.0})
    manifest = train(recipe.model_copy(update={"training": own, "ensemble": None}), data, tmp_path / "model")
    # One preference a group here: as many are drawn as there are.
    assert manifest.counts["pairs"] == len(load_table(data, "train"))
    plain = train(
        recipe.model_copy(update={"training": own.model_copy(update={"bootstrap": False}), "ensemble": None}),
        data,
        tmp_path / "plain",
    )
    assert plain.files["model.safetensors"] != manifest.files["model.safetensors"]


def test_weights_are_averaged_into_one_ordinary_model(made, tmp_path, monkeypatch):
    data, recipe = made
    kept = tmp_path / "kept"
    out, averaging = tmp_path / "warm", changed(recipe, average="weights", by="bootstrap")
    # The members are gone when it is done: keep them.
    import rewardsmith.training.ensemble as module

    monkeypatch.setattr(module, "_remove", lambda work: work.rename(kept))

    manifest = train_ensemble(averaging, data, out)

    states = [load_checkpoint(kept / str(number)).model.state_dict() for number in (0, 1)]
    mean = load_checkpoint(out).model.state_dict()
    for name, value in mean.items():
        assert torch.allclose(value, (states[0][name] + states[1][name]) / 2, atol=1e-6), name
    assert any(not torch.equal(states[0][name], states[1][name]) for name in mean)
    card = read_card(out)
    assert card is not None
    assert card.portable
    assert not (out / "scorer.json").exists()
    assert manifest.counts["parameters"] == read_manifest(kept / "0", "reward-model").counts["parameters"]
    assert 0 <= manifest.counts["heldout"]["accuracy"] <= 1
    assert {line["step"] for line in map(json.loads, (out / "training_log.jsonl").read_text().splitlines())}


def test_an_interrupted_training_goes_on_with_the_member_it_was_in(made, trained, tmp_path, monkeypatch):
    (data, recipe), (whole, _) = made, trained
    out = tmp_path / "ensemble"
    calls = []

    class Killed(Exception):
        pass

    real = single.build_trainer

    def counted(*arguments, **options):
        calls.append(options["work"])
        if len(calls) == 2:
            raise Killed
        return real(*arguments, **options)

    monkeypatch.setattr(single, "build_trainer", counted)
    with pytest.raises(Killed):
        train_ensemble(recipe, data, out)
    assert not out.exists()
    assert verify_artefact(tmp_path / "ensemble.work/members/0", "reward-model")

    train_ensemble(recipe, data, out)

    # Member 0 once; member 1 twice, in the same folder.
    assert len(calls) == 3
    assert calls[1] == calls[2]
    assert not (tmp_path / "ensemble.work").exists()
    assert read_manifest(out, "reward-model").files == read_manifest(whole, "reward-model").files | {
        name: digest for name, digest in read_manifest(out, "reward-model").files.items() if _tells_the_time(name)
    }


def _tells_the_time(name: str) -> bool:
    return name.endswith(("training_log.jsonl", "manifest.json"))


def test_a_current_ensemble_is_left_as_it_is(made, trained, monkeypatch):
    (data, recipe), (out, manifest) = made, trained
    monkeypatch.setattr(single, "build_trainer", lambda *_, **__: pytest.fail("trained again"))
    assert train_ensemble(recipe, data, out) == manifest


def test_a_recipe_without_the_section_is_refused(made, tmp_path):
    data, recipe = made
    with pytest.raises(SettingsError, match="wanted a section `ensemble:`"):
        train_ensemble(recipe.model_copy(update={"ensemble": None}), data, tmp_path / "out")


def test_the_mean_log_has_the_steps_and_the_numbers_that_all_have():
    logs = [
        [{"step": 10, "loss": 1.0, "note": "a"}, {"step": 20, "loss": 3.0}, {"step": 20, "eval_loss": 5.0}],
        [
            {"step": 10, "loss": 2.0, "note": "b"},
            {"step": 20, "loss": 4.0, "eval_loss": 7.0},
            {"step": 30, "loss": 9.0},
        ],
    ]
    assert mean_log(logs) == [{"step": 10, "loss": 1.5}, {"step": 20, "loss": 3.5, "eval_loss": 6.0}]


def test_every_key_says_what_it_is_for():
    assert all(field.description for field in EnsembleSettings.model_fields.values())
