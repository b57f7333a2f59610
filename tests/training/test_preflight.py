"""What the loss or the model cannot use is named, with its place, before anything is built."""

from __future__ import annotations

import dataclasses
import json
import logging
import time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.training.toy import encode_words, toy_preferences, toy_table, write_base, write_data

from rewardsmith.core.errors import DataError, ModelError, OverlengthError
from rewardsmith.core.preference import Pair
from rewardsmith.losses.objective import rank_places
from rewardsmith.losses.pair_batch import PairBatch
from rewardsmith.losses.settings import LossSettings
from rewardsmith.models.settings import ModelSettings
from rewardsmith.preferences.store import load_table
from rewardsmith.training.plan import plan
from rewardsmith.training.preflight import check_data_for_loss, require_room
from rewardsmith.training.recipe import Recipe
from rewardsmith.training.settings import TrainingSettings
from rewardsmith.training.train import train

RANKING = LossSettings(kind="plackett_luce")
FULL = (Pair(0, 1), Pair(0, 2), Pair(1, 2))
TIE = Pair(1, 2, prob_chosen=0.5, tie=True)


def check(settings: LossSettings, train, heldout=None) -> tuple[str, ...]:
    return check_data_for_loss(settings, train=train, heldout=heldout or toy_table(2, seed=5))


@pytest.mark.parametrize(
    "pairs",
    [
        (Pair(0, 1), Pair(0, 2), TIE),
        (Pair(0, 1), Pair(0, 2)),
        (Pair(0, 1), Pair(1, 2), Pair(2, 0)),
        (Pair(0, 1), Pair(0, 1), Pair(1, 2)),
        (Pair(0, 1), Pair(0, 2), Pair(1, 2, prob_chosen=0.5)),
        (Pair(0, 1), Pair(0, 2), Pair(1, 2, prob_chosen=0.4)),
    ],
    ids=["tie", "partial", "cycle", "twice", "undecided", "against its votes"],
)
def test_a_ranking_loss_names_the_preference_without_a_ranking(pairs):
    rows = [*toy_preferences(3, responses=3), *toy_preferences(2, seed=1, responses=3, pairs=pairs)]
    table = encode_words([dataclasses.replace(row, id=f"row-{n}") for n, row in enumerate(rows)])
    with pytest.raises(DataError, match=r"^memory:4: plackett_luce needs .* 2 of 5 training .* first is 'row-3'"):
        check(RANKING, table)
    with pytest.raises(DataError, match=r"^memory:4: .* 2 of 5 held-out .* first is 'row-3'"):
        check(RANKING, toy_table(2), table)
    # In another order of the same rows the place is still the row's own.
    with pytest.raises(DataError, match=r"^memory:5: .* 1 of 2 training .* first is 'row-4'"):
        check(RANKING, table.select([0, 4]))
    assert check(RANKING, table.select([2, 0, 1])) == ()
    assert check(LossSettings(), table) == ()


@given(st.integers(2, 4), st.data())
def test_it_refuses_what_the_loss_itself_refuses(size, data):
    every = [(i, j) for i in range(size) for j in range(size) if i != j]
    chosen = data.draw(st.lists(st.sampled_from(every), min_size=1, max_size=size * (size - 1) // 2 + 1))
    pairs = [Pair(i, j) for i, j in chosen]
    table = encode_words([*toy_preferences(1), *toy_preferences(1, responses=size, pairs=pairs)])
    first, second = torch.tensor(chosen).T
    count = len(chosen)
    batch = PairBatch(
        chosen=first,
        rejected=second,
        prob_chosen=torch.ones(count),
        margin=torch.zeros(count),
        weight=torch.ones(count),
        tie=torch.zeros(count, dtype=torch.bool),
        preference=torch.zeros(count, dtype=torch.int64),
        sequence_preference=torch.zeros(size, dtype=torch.int64),
    )
    assert _refuses(lambda: check(RANKING, table)) == _refuses(lambda: rank_places(batch))


def _refuses(call) -> bool:
    try:
        call()
    except DataError:
        return True
    return False


@pytest.mark.parametrize("kind", ["rao_kupper", "davidson"])
def test_a_tie_loss_without_a_tie_is_said_to_be_one(kind):
    settings = LossSettings(kind=kind)
    (note,) = check(settings, toy_table(3))
    assert f"loss.kind is {kind}" in note
    assert "data.ties: keep" in note
    tied = encode_words(toy_preferences(2, responses=3, pairs=(Pair(0, 1), TIE)))
    assert check(settings, tied) == ()
    # Only what is trained on counts.
    assert len(check(settings, toy_table(3), tied)) == 1


def test_other_settings_without_effect_are_said_too():
    (note,) = check(LossSettings(use_pair_margin=True), toy_table(3))
    assert "use_pair_margin" in note
    with_margin = encode_words(toy_preferences(2, pairs=(Pair(0, 1, margin=0.0),)))
    assert check(LossSettings(use_pair_margin=True), with_margin) == ()
    soft = encode_words(toy_preferences(2, responses=3, pairs=(FULL[0]._replace(prob_chosen=0.7), *FULL[1:])))
    (note,) = check(RANKING, soft)
    assert "2 soft labels" in note


@pytest.mark.parametrize("kind", ["bradley_terry", "hinge"])
def test_ties_are_no_trouble_for_losses_of_labels(kind):
    assert check(LossSettings(kind=kind), encode_words(toy_preferences(2, responses=3, pairs=(FULL[0], TIE)))) == ()


def test_room_names_the_first_preference_that_is_too_long():
    table = toy_table(9)
    limit = int(table.longest.max()) - 1
    first = int((table.longest > limit).argmax())
    require_room(limit + 1, table)
    require_room(None, table)
    with pytest.raises(OverlengthError, match=rf"^memory:{first + 1}: .*wanted at most {limit}; .*'toy-{first}'"):
        require_room(limit, toy_table(1, seed=3).select([]), table)


def test_many_rows_are_checked_at_once():
    table = encode_words(toy_preferences(100, responses=4))
    many = table.select([number % 100 for number in range(160_000)])
    started = time.perf_counter()
    assert check(RANKING, many) == ()
    # 160,000 rankings of four are 960,000 pairs; a Python object for each would take far longer.
    assert time.perf_counter() - started < 5


def test_training_and_planning_know_the_tokenizers_limit_too(tmp_path):
    base = write_base(tmp_path / "base")
    data = write_data(tmp_path / "data", base)
    config = base / "tokenizer_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_max_length": 16}))
    recipe = Recipe(model=ModelSettings(base=str(base)), training=TrainingSettings(precision="float32"))
    for call in (lambda: train(recipe, data, tmp_path / "out"), lambda: plan(recipe, load_table(data, "train"))):
        with pytest.raises(OverlengthError, match=r"^data\.jsonl:\d+: .*wanted at most 16"):
            call()


def test_training_and_planning_both_look_before_they_build(tmp_path, caplog):
    # The model that the recipe names has no weights, so whoever builds it first raises something else.
    base = write_base(tmp_path / "base")
    data = write_data(tmp_path / "data", base)
    (base / "model.safetensors").unlink()
    recipe = Recipe(
        model=ModelSettings(base=str(base)), training=TrainingSettings(precision="float32"), loss=LossSettings()
    )
    tied = recipe.model_copy(update={"loss": LossSettings(kind="davidson")})
    for call in (lambda: train(tied, data, tmp_path / "out"), lambda: plan(tied, load_table(data, "train"))):
        caplog.clear()
        with caplog.at_level(logging.WARNING), pytest.raises(ModelError):
            call()
        assert "no training pair is one" in caplog.text
