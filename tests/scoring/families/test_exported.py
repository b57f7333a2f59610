from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import DataError, ModelError, OverlengthError, SettingsError
from rewardsmith.core.scores import Scorer, TokenScorer, Truncating
from rewardsmith.models.load import load_checkpoint
from rewardsmith.pipeline.export_write import write_exported
from rewardsmith.scoring.load import load_scorer
from rewardsmith.scoring.overlength import with_overlength

TEXTS: list[Conversation] = [
    (user("Which?" * (number % 4 + 1)), assistant("abc" * (number % 7 + 1))) for number in range(12)
]


@pytest.fixture(scope="module")
def exported(tiny_reward_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    write_exported(load_checkpoint(tiny_reward_model), folder, "torchscript")
    return folder


@pytest.fixture
def copied(exported: Path, tmp_path: Path) -> Path:
    shutil.copytree(exported, tmp_path / "copy")
    return tmp_path / "copy"


def test_it_gives_the_reference_scorers_rewards(exported: Path, tiny_reward_model: Path):
    reference = load_scorer(tiny_reward_model, engine="reference")

    scorer = load_scorer(exported)

    assert isinstance(scorer, Scorer)
    assert isinstance(scorer, TokenScorer)
    assert isinstance(scorer, Truncating)
    np.testing.assert_allclose(scorer.score(TEXTS).rewards, reference.score(TEXTS).rewards, atol=1e-5)
    ids = scorer.encoder.encode(TEXTS)
    np.testing.assert_array_equal(scorer.score_ids(ids).rewards, scorer.score(TEXTS).rewards)
    one_by_one = load_scorer(exported, engine="reference")
    np.testing.assert_allclose(one_by_one.score(TEXTS).rewards, scorer.score(TEXTS).rewards, atol=1e-5)
    assert len(scorer.score([])) == 0


@given(order=st.permutations(range(len(TEXTS))), budget=st.integers(1, 400))
@settings(max_examples=10, deadline=None)
def test_order_company_and_budget_change_nothing(order: list[int], budget: int, exported: Path):
    wanted = load_scorer(exported).score(TEXTS).rewards

    found = load_scorer(exported, token_budget=budget).score([TEXTS[number] for number in order]).rewards

    np.testing.assert_allclose(found, wanted[order], atol=1e-5)


def test_what_is_too_long_is_refused_or_cut_like_everywhere(exported: Path, tiny_reward_model: Path):
    long: Conversation = (user("x" * 300), assistant("yes"))

    with pytest.raises(OverlengthError, match="at most 200"):
        load_scorer(exported).score([long])

    cutting, source = (load_scorer(each, overlength="truncate") for each in (exported, tiny_reward_model))
    np.testing.assert_allclose(cutting.score([long]).rewards, source.score([long]).rewards, atol=1e-5)
    assert isinstance(cutting, Truncating)
    assert cutting.n_truncated == 1
    other = with_overlength(load_scorer(exported), "truncate")
    np.testing.assert_allclose(other.score([long]).rewards, source.score([long]).rewards, atol=1e-5)


def test_its_digest_is_of_the_file_and_of_the_source(exported: Path, copied: Path, tiny_reward_model: Path):
    own = load_scorer(exported).score(TEXTS[:1]).provenance
    source = load_scorer(tiny_reward_model).score(TEXTS[:1]).provenance

    assert own.model_digest != source.model_digest
    assert own.template_digest == source.template_digest
    assert load_scorer(copied).score([]).provenance == own
    said = json.loads((copied / "scorer.json").read_text("utf-8"))
    assert said["source"] == source.model_digest
    (copied / "scorer.json").write_text(json.dumps(said | {"source": "0" * 64}), "utf-8")
    assert load_scorer(copied).score([]).provenance.model_digest != own.model_digest


def test_rewards_are_kept_for_later(exported: Path, tmp_path: Path):
    first = load_scorer(exported, cache=tmp_path / "kept").score(TEXTS).rewards

    again = load_scorer(exported, cache=tmp_path / "kept")
    again._graph = None  # type: ignore[attr-defined]

    np.testing.assert_array_equal(again.score(TEXTS).rewards, first)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"precision": "bf16"}, "precision"),
        ({"device": "cuda"}, "CPU"),
        ({"max_tokens": 257}, "at most 256"),
        ({"token_budget": 0}, "token_budget"),
    ],
)
def test_what_a_file_cannot_do_is_refused(options: dict[str, Any], problem: str, exported: Path):
    with pytest.raises(SettingsError, match=problem):
        load_scorer(exported, **options)


def test_ids_that_the_file_does_not_know_are_refused(exported: Path):
    scorer = load_scorer(exported)
    assert isinstance(scorer, TokenScorer)

    with pytest.raises(DataError, match="no such token"):
        scorer.score_ids([np.array([1, 261], np.int32)])
    with pytest.raises(DataError, match="without tokens"):
        scorer.score_ids([np.array([], np.int32)])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"file": "../model.pt"}, "lies elsewhere"),
        ({"file": "other.pt"}, "missing"),
        ({"format": "gguf"}, "not an exported model"),
        ({"template_digest": "0" * 64}, "chat template"),
    ],
)
def test_a_folder_that_was_changed_is_refused(change: dict[str, Any], problem: str, copied: Path):
    said = json.loads((copied / "scorer.json").read_text("utf-8"))
    (copied / "scorer.json").write_text(json.dumps(said | change), "utf-8")

    with pytest.raises(ModelError, match=problem):
        load_scorer(copied)
