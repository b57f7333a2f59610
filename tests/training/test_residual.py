"""Training on top of a prior: gradients, layouts, cached features, resuming, figures, the artefact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.scoring.priors import own_prior
from tests.training.toy import (
    PAD_ID,
    CrashAt,
    Interrupted,
    first_gradient,
    mixed_table,
    tiny_model,
    toy_table,
    write_base,
    write_data,
)

from rewardsmith.core.errors import DataError, SettingsError
from rewardsmith.core.settings import parse_settings
from rewardsmith.core.store import read_manifest
from rewardsmith.models.checkpoint import read_card
from rewardsmith.models.settings import ModelSettings
from rewardsmith.models.trainable import with_trainable
from rewardsmith.preferences.store import load_table
from rewardsmith.preferences.table import PreferenceTable
from rewardsmith.scoring.families.residual import ResidualScorer
from rewardsmith.scoring.load import load_scorer
from rewardsmith.scoring.priors.settings import PriorSettings
from rewardsmith.text.load import load_tokenizer
from rewardsmith.training.build import build_trainer
from rewardsmith.training.collator import FeatureCollator, PreferenceCollator
from rewardsmith.training.dataset import FeatureDataset, PreferenceDataset
from rewardsmith.training.metrics import accuracy_credits
from rewardsmith.training.prior_values import prior_values
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.resume import last_complete_checkpoint, run_digest
from rewardsmith.training.settings import TrainingSettings
from rewardsmith.training.train import train

OPTIONS: dict[str, Any] = {"epochs": 2, "batch_size": 4, "weight_decay": 0.1, "save_every_steps": 3}
OWN = "tests.scoring.priors.own_prior"


def some_prior(table: PreferenceTable, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, int(table.response_counts.sum())).astype(np.float32)


def residual_trainer(
    work: Path,
    table: PreferenceTable,
    *,
    prior: np.ndarray | None = None,
    scale: str = "learned",
    rate: float = 0.05,
    model: Any = None,
    **training: Any,
) -> Any:
    heldout = toy_table(7, seed=3, responses=3)
    settings = {"precision": "float32", "learning_rate": 1e-2, **training}
    values = {"terms": [{"kind": "length"}], "scale": scale, "scale_learning_rate": rate}
    recipe = Recipe(training=TrainingSettings.model_validate(settings), prior=PriorSettings.model_validate(values))
    return build_trainer(
        recipe,
        model or tiny_model(),
        pad_id=PAD_ID,
        train=PreferenceDataset(table, prior=some_prior(table) if prior is None else prior),
        heldout=PreferenceDataset(heldout, prior=some_prior(heldout, seed=1)),
        work=work,
        precision="float32",
    )


def head_only() -> Any:
    return with_trainable(tiny_model(), ModelSettings(trainable="head"))


def test_the_gradient_is_that_of_bradley_terry_on_the_sum(tmp_path):
    table = toy_table(4)
    prior = some_prior(table)
    gradient = first_gradient(residual_trainer(tmp_path, table, prior=prior, batch_size=4))

    model, scale = tiny_model(), torch.ones(1, requires_grad=True)
    losses = []
    for index in range(4):
        encoded = table.encoded(index)
        sums = []
        for number, tail in enumerate(encoded.tails):
            ids = torch.as_tensor(np.concatenate([encoded.prefix, tail]).astype(np.int64))[None]
            sums.append(model(ids, torch.ones_like(ids)) + scale * float(prior[2 * index + number]))
        losses.append(torch.nn.functional.softplus(sums[1] - sums[0]))
    torch.cat(losses).mean().backward()

    assert set(gradient) == {"prior_scale"} | {f"residual.{name}" for name, _ in model.named_parameters()}
    torch.testing.assert_close(gradient["prior_scale"], scale.grad, rtol=1e-4, atol=1e-6)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(gradient[f"residual.{name}"], parameter.grad, rtol=1e-3, atol=1e-5)


def test_a_fixed_scale_has_no_gradient(tmp_path):
    trainer = residual_trainer(tmp_path, toy_table(4), scale="fixed", batch_size=4)
    assert "prior_scale" not in first_gradient(trainer)
    assert trainer.model.scale == 1.0


@pytest.mark.parametrize("options", [{"packing": "never"}, {"token_budget": 30}])
def test_the_step_is_the_same_however_it_is_cut(tmp_path, options):
    # Prompts with two, three and four responses: the prior must follow its response through packing and sorting.
    table = mixed_table()
    wanted = first_gradient(residual_trainer(tmp_path / "a", table, batch_size=8))
    found = first_gradient(residual_trainer(tmp_path / "b", table, batch_size=8, **options))
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-5)


def test_cached_features_give_the_same_weights_and_scale(tmp_path):
    table = mixed_table()
    runs = {
        ways: residual_trainer(tmp_path / ways, table, model=head_only(), cache_features=ways, **OPTIONS)
        for ways in ("auto", "never")
    }
    for trainer in runs.values():
        trainer.train()
    assert isinstance(runs["auto"].train_dataset, FeatureDataset)
    one, other = (trainer.model.state_dict() for trainer in runs.values())
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=1e-4, atol=1e-5)
    assert abs(runs["auto"].model.scale - 1) > 0.01


@pytest.mark.parametrize("model", [None, head_only])
def test_a_resumed_run_ends_like_one_that_was_never_interrupted(tmp_path, model):
    def make(work: Path) -> Any:
        return residual_trainer(work, toy_table(14), model=None if model is None else model(), **OPTIONS)

    whole = make(tmp_path / "whole")
    whole.train()
    cut = make(tmp_path / "cut")
    cut.add_callback(CrashAt(5))
    with pytest.raises(Interrupted):
        cut.train()
    resumed = make(tmp_path / "cut")
    found = last_complete_checkpoint(tmp_path / "cut")
    assert found is not None
    resumed.train(resume_from_checkpoint=str(found))

    wanted = whole.model.state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in resumed.model.state_dict().items())
    assert whole.model.scale not in (0.0, 1.0)
    scales = [line["prior_scale"] for line in resumed.state.log_history if "loss" in line]
    assert scales[-1] == whole.model.scale


def test_the_scale_moves_at_its_own_rate_and_does_not_decay(tmp_path):
    table = toy_table(12)
    still = residual_trainer(tmp_path / "a", table, prior=np.zeros(24, np.float32), **OPTIONS)
    still.train()
    # Without a gradient only decay could move it.
    assert still.model.scale == 1.0
    moved = {}
    for rate in (0.001, 0.1):
        trainer = residual_trainer(tmp_path / str(rate), table, rate=rate, **OPTIONS)
        trainer.train()
        moved[rate] = abs(trainer.model.scale - 1)
    assert 0 < moved[0.001] < 0.01 < moved[0.1]


def test_a_wrong_prior_is_turned_down_and_a_right_one_up(tmp_path):
    # Response 0 is the better one everywhere; a frozen head leaves the labels to the scale.
    table = toy_table(12)
    for sign in (1.0, -1.0):
        prior = np.tile(np.array([0.5 * sign, -0.5 * sign], np.float32), 12)
        trainer = residual_trainer(tmp_path / str(sign), table, prior=prior, learning_rate=1e-9, **OPTIONS)
        trainer.train()
        assert np.sign(trainer.model.scale - 1) == sign


def test_held_out_figures_are_of_the_sum(tmp_path):
    trainer = residual_trainer(tmp_path, toy_table(4))
    with torch.no_grad():
        trainer.model.residual.output_layer.weight.zero_()
        trainer.model.prior_scale.fill_(2.0)
    table, prior = toy_table(7, seed=3, responses=3), 2.0 * some_prior(toy_table(7, seed=3, responses=3), seed=1)
    pairs = table.pair_columns()
    starts = 3 * pairs.preference
    margins = prior[starts + pairs.chosen] - prior[starts + pairs.rejected]

    figures = trainer.evaluate()

    assert figures["eval_accuracy"] == pytest.approx(accuracy_credits(margins).mean())
    assert figures["eval_loss"] == pytest.approx(np.log1p(np.exp(-margins.astype(np.float64))).mean(), rel=1e-5)
    assert figures["eval_reward_max"] == pytest.approx(prior.max())


def test_the_filler_of_a_device_without_work_brings_no_prior():
    table = toy_table(2)
    dataset = PreferenceDataset(table, prior=np.array([1, 2, 3, 4], np.float32))
    (batch,) = PreferenceCollator(0, layout="padded", token_budget=1000)([dataset[1], None])
    assert sorted(batch["prior"].tolist()) == [0, 3, 4]
    owners = batch["sequence_preference"].tolist()
    assert [batch["prior"].tolist()[owners.index(number)] for number in sorted(set(owners))] in ([3, 0], [0, 3])
    featured = FeatureDataset(table, np.zeros((4, 2), np.float32), np.arange(4), prior=dataset.prior)
    (batch,) = FeatureCollator(2)([None, featured[0]])
    assert batch["prior"].tolist() == [0, 1, 2]
    (batch,) = FeatureCollator(2)([None])
    assert "prior" not in batch


def test_data_without_the_values_of_the_prior_are_refused(tmp_path):
    recipe = Recipe(prior=PriorSettings.model_validate({"terms": [{"kind": "length"}]}))
    data = PreferenceDataset(toy_table(2))
    with pytest.raises(DataError, match="no values of it"):
        build_trainer(recipe, tiny_model(), pad_id=PAD_ID, train=data, heldout=data, work=tmp_path, precision="float32")


# ---- from files ----


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recipe]:
    folder = tmp_path_factory.mktemp("made")
    base = write_base(folder / "base")
    prior = {
        "terms": [
            {"kind": "length", "unit": "tokens", "weight": -1.0, "scale": 10},
            {"kind": "callable", "function": f"{OWN}:vowels", "weight": 0.25},
            {"kind": "log_probability", "model": str(base), "weight": 0.5},
        ],
        "scale": "learned",
    }
    training = TrainingSettings(epochs=2, learning_rate=1e-2, batch_size=8, precision="float32")
    recipe = Recipe(model=ModelSettings(base=str(base)), training=training, prior=PriorSettings.model_validate(prior))
    return write_data(folder / "data", base), recipe


def test_the_artefact_scores_as_it_was_evaluated(made, tmp_path):
    data, recipe = made
    manifest = train(recipe, data, tmp_path / "model")

    assert {"scorer.json", "prior/2/model.safetensors"} <= set(manifest.files)
    card = read_card(tmp_path / "model")
    assert card is not None
    assert not card.portable
    assert {"prior.1", "prior.2"} <= set(manifest.parents)
    scale = manifest.counts["prior"]["scale"]
    assert scale != 1.0

    scorer = load_scorer(tmp_path / "model", device="cpu")
    assert isinstance(scorer, ResidualScorer)
    assert scorer.scale == pytest.approx(scale)
    table = load_table(data, "heldout")
    scores = scorer.score([each.conversation(number) for each in table for number in (0, 1)])
    np.testing.assert_allclose(
        scores.rewards, scores.attributes["prior"] + scores.attributes["residual"], rtol=1e-6, atol=1e-6
    )
    texts = [each.responses[number][-1].content for each in table for number in (0, 1)]
    simple = np.array([-len(text.encode()) / 10 + 0.25 * sum(map(text.count, "aeiou")) for text in texts])
    likely = scores.attributes["prior"] / scale - simple
    # ½ a mean log-probability, of a model of about 260 tokens that knows nothing.
    assert (np.abs(likely + 0.5 * np.log(260)) < 1.0).all()
    margins = scores.rewards[::2] - scores.rewards[1::2]
    assert margins.mean() == pytest.approx(manifest.counts["heldout"]["margin_mean"], abs=1e-4)


def test_an_interrupted_training_does_not_ask_the_prior_again(made, tmp_path, monkeypatch):
    data, recipe = made
    asked: list[int] = []

    def counted(conversations: list[Any]) -> list[float]:
        asked.append(len(conversations))
        return [1.0] * len(conversations)

    monkeypatch.setattr(own_prior, "vowels", counted)
    assert recipe.prior is not None
    tables = load_table(data, "train"), load_table(data, "heldout")
    tokenizer = load_tokenizer(recipe.model.base)
    first = prior_values(recipe.prior, tables, tokenizer, work=tmp_path)
    again = prior_values(recipe.prior, tables, tokenizer, work=tmp_path)

    responses = sum(int(table.response_counts.sum()) for table in tables)
    assert asked == [responses]
    assert [len(each) for each in first.by_table] == [int(table.response_counts.sum()) for table in tables]
    for one, other in zip(first.by_table, again.by_table, strict=True):
        assert np.array_equal(one, other)
    assert first.n_truncated == again.n_truncated == 0


def test_values_follow_their_responses_and_cuts_are_counted(made, tmp_path):
    data, recipe = made
    tables = load_table(data, "train"), load_table(data, "heldout")
    terms = [
        {"kind": "length", "scale": 1.0},
        {
            "kind": "log_probability",
            "model": recipe.model.base,
            "weight": 0,
            "max_tokens": 60,
            "overlength": "truncate",
        },
    ]
    settings = PriorSettings.model_validate({"terms": terms})
    values = prior_values(settings, tables, load_tokenizer(recipe.model.base), work=tmp_path)
    for table, found in zip(tables, values.by_table, strict=True):
        assert found.tolist() == [len(turns[-1].content) for each in table for turns in each.responses]
    # Prompt and response, counted with what the template prints, are longer than 60 bytes in some.
    assert 0 < values.n_truncated < sum(map(len, values.by_table))


def test_another_prior_is_another_run(made):
    _, recipe = made
    assert recipe.prior is not None
    lighter = recipe.prior.terms[0].model_copy(update={"weight": -2.0})
    other = recipe.model_copy(
        update={"prior": recipe.prior.model_copy(update={"terms": (lighter, *recipe.prior.terms[1:])})}
    )
    digests = [run_digest(each, "p", precision="float32", processes=1) for each in (recipe, other)]
    assert digests[0] != digests[1]


def test_an_adapter_by_itself_keeps_the_prior(made, tmp_path):
    data, recipe = made
    assert recipe.prior is not None
    prior = recipe.prior.model_copy(update={"terms": recipe.prior.terms[:1], "scale": "fixed"})
    lora = recipe.model.model_copy(update={"trainable": "lora", "lora_rank": 2})
    train(recipe.model_copy(update={"model": lora, "prior": prior}), data, tmp_path / "model")
    assert read_manifest(tmp_path / "model", "reward-model").counts["prior"]["scale"] == 1.0
    conversations = [each.conversation(0) for each in load_table(data, "heldout")]
    merged, adapter = (load_scorer(tmp_path / place, device="cpu") for place in ("model", "model/adapter"))
    np.testing.assert_allclose(adapter.score(conversations).rewards, merged.score(conversations).rewards, atol=1e-4)


@pytest.mark.parametrize(
    "section",
    [
        {"ensemble": {"average": "weights"}},
        {"ensemble": {"by": "adapters"}},
        {"attributes": {}},
        {"generative": {}},
        {"process": {}},
    ],
)
def test_a_prior_is_refused_where_training_would_leave_it_out(section):
    with pytest.raises(SettingsError, match="prior does not go together with"):
        parse_settings(Recipe, {"prior": {"terms": [{"kind": "length"}]}, **section}, where="recipe")


def test_members_of_an_ensemble_may_have_a_prior():
    said = {"prior": {"terms": [{"kind": "length"}]}, "ensemble": {"by": "bootstrap"}}
    recipe = parse_settings(Recipe, said, where="recipe")
    assert recipe.family == "ensemble"
    assert recipe.prior is not None
    assert [term.kind for term in recipe.prior.terms] == ["length"]
