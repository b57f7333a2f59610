"""An ensemble of adapters scores as its members' merged checkpoints do, each by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.adapted import adapted, merged, save_base

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import ModelError, OverlengthError, SettingsError
from rewardsmith.core.scores import Scorer, Truncating
from rewardsmith.models import checkpoint
from rewardsmith.models.adapter_ensemble import share
from rewardsmith.numerics.combination import Standard
from rewardsmith.scoring.families.adapters import AdapterEnsembleScorer
from rewardsmith.scoring.families.ensemble import EnsembleScorer
from rewardsmith.scoring.families.spec import SPEC_NAME
from rewardsmith.scoring.load import load_scorer
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer
from rewardsmith.training.adapters import write_adapter_ensemble

KINDS = {
    "decoder": ("decoder", {}),
    "encoder": ("encoder", {}),
    "mean": ("encoder", {"pooling": "mean"}),
    "mlp": ("decoder", {"head": "mlp", "lora_blocks": 2}),
}
STANDARD = Standard(np.array([0.5, -1.0, 2.0]), np.array([1.0, 2.0, 0.5]))
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
CONVERSATIONS = st.lists(
    st.tuples(st.sampled_from(["hi", "What is it, then? "]), TEXTS).map(
        lambda texts: (user(texts[0]), assistant(texts[1]))
    ),
    max_size=7,
)
FEW: list[Conversation] = [(user("hi"), assistant("x" * k)) for k in (1, 30, 7, 12)]


def write_members(tiny: Any, folder: Path, kind: str, **options: Any) -> list[Path]:
    """Three reward-model folders: the merged model, and the adapter beside it."""
    base = save_base(tiny, folder / "base", kind)
    tokenizer = load_tokenizer(base)
    folders = [folder / f"model-{seed}" for seed in range(3)]
    for seed, each in enumerate(folders):
        checkpoint.save(adapted(base, seed=seed, **options), tokenizer, each, base=base, max_tokens=120)
    return folders


@pytest.fixture(scope="module", params=KINDS)
def stored(request: pytest.FixtureRequest, tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list]:
    """The ensemble's folder, and the scorers of its members' merged checkpoints."""
    kind, options = KINDS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    folders = write_members(tiny, folder, kind, **options)
    write_adapter_ensemble(folders, folder / "ensemble", standard=STANDARD, rule="worst")
    return folder / "ensemble", [load_scorer(each) for each in folders]


@pytest.fixture(scope="module")
def decoder(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ensemble of decoders in a folder beside its members."""
    folder = tmp_path_factory.mktemp("decoder")
    write_adapter_ensemble(write_members(tiny, folder, "decoder"), folder / "ensemble", standard=STANDARD)
    return folder / "ensemble"


def loaded(folder: Path, **options: Any) -> AdapterEnsembleScorer:
    scorer = load_scorer(folder, **options)
    assert isinstance(scorer, AdapterEnsembleScorer)
    return scorer


def test_equal_to_the_merged_checkpoints_in_any_order_and_company(stored: tuple[Path, list]) -> None:
    folder, separate = stored
    known = loaded(folder)

    @settings(max_examples=6, deadline=None)
    @given(conversations=CONVERSATIONS, budget=st.integers(1, 400))
    def check(conversations: list[Conversation], budget: int) -> None:
        fresh = AdapterEnsembleScorer(known.model, known.encoder, STANDARD, rule="worst", token_budget=budget)
        raw = np.stack([scorer.score(conversations).rewards for scorer in separate])
        wanted = (raw - STANDARD.offsets[:, None]) / STANDARD.scales[:, None]
        scores = fresh.score(conversations)
        np.testing.assert_allclose(scores.members, wanted, atol=1e-5)
        np.testing.assert_allclose(scores.rewards, wanted.min(axis=0), atol=1e-5)
        np.testing.assert_allclose(scores.spread, wanted.std(axis=0), atol=1e-5)
        np.testing.assert_allclose(fresh.score(conversations[::-1]).rewards[::-1], scores.rewards, atol=1e-5)
        np.testing.assert_allclose(known.score(conversations).members, wanted, atol=1e-5)
        assert fresh.statistics.computed == len(set(conversations))

    check()


def test_the_reference_engine_scores_with_the_merged_members(stored: tuple[Path, list]) -> None:
    folder, _ = stored
    reference = load_scorer(folder, engine="reference")
    assert isinstance(reference, EnsembleScorer)
    np.testing.assert_allclose(loaded(folder).score(FEW).rewards, reference.score(FEW).rewards, atol=1e-5)


def test_each_stored_member_is_a_reward_model_by_itself(stored: tuple[Path, list]) -> None:
    folder, separate = stored
    for number, scorer in enumerate(separate):
        member = load_scorer(folder / "members" / str(number))
        np.testing.assert_allclose(member.score(FEW).rewards, scorer.score(FEW).rewards, atol=1e-5)


def test_it_is_a_scorer_with_a_provenance_of_members_and_rule(decoder: Path) -> None:
    scorer = loaded(decoder)
    assert isinstance(scorer, Scorer)
    assert isinstance(scorer, Truncating)
    assert scorer.score(FEW).provenance == scorer.provenance == loaded(decoder).provenance
    other = AdapterEnsembleScorer(scorer.model, scorer.encoder, STANDARD, rule="worst", model_digest="m")
    same = AdapterEnsembleScorer(scorer.model, scorer.encoder, STANDARD, rule="worst", model_digest="m")
    rescaled = AdapterEnsembleScorer(
        scorer.model, scorer.encoder, Standard(np.zeros(3), np.ones(3)), rule="worst", model_digest="m"
    )
    assert other.provenance == same.provenance
    assert len({each.provenance for each in (scorer, other, rescaled)}) == 3


def test_nothing_to_score(decoder: Path) -> None:
    scores = loaded(decoder).score([])
    assert scores.rewards.shape == (0,)
    assert scores.members is not None
    assert scores.members.shape == (3, 0)


def test_candidates_of_one_prompt_are_computed_with_it_once(decoder: Path) -> None:
    prompt = "What is the capital of the largest country in the world? " * 2
    scorer = loaded(decoder, max_tokens=250)
    scorer.score([(user(prompt), assistant("x" * k)) for k in range(1, 9)])
    assert scorer.statistics.computed_tokens < 0.4 * scorer.statistics.tokens


def test_too_long_raises_or_is_cut_and_counted(decoder: Path) -> None:
    with pytest.raises(OverlengthError, match="at most 40"):
        loaded(decoder, max_tokens=40).score(FEW)
    scorer = loaded(decoder, max_tokens=40, overlength="truncate")
    reference = load_scorer(decoder, engine="reference", max_tokens=40, overlength="truncate")
    np.testing.assert_allclose(scorer.score(FEW).rewards, reference.score(FEW).rewards, atol=1e-5)
    assert scorer.n_truncated == 1
    assert loaded(decoder).encoder.max_tokens == 120


def test_the_disk_serves_all_rules_and_no_other_members(decoder: Path, tmp_path: Path) -> None:
    first = loaded(decoder, cache=tmp_path / "cache")
    wanted = first.score(FEW)
    second = loaded(decoder, cache=tmp_path / "cache")
    np.testing.assert_array_equal(second.score(FEW).members, wanted.members)
    assert (second.statistics.cache_hits, second.statistics.computed) == (len(FEW), 0)
    third = AdapterEnsembleScorer(
        second.model, second.encoder, STANDARD, rule="penalised", weight=2.0, cache=tmp_path / "cache"
    )
    members = wanted.members
    assert members is not None
    np.testing.assert_allclose(third.score(FEW).rewards, members.mean(axis=0) - 2 * members.var(axis=0), atol=1e-5)
    assert third.statistics.computed == 0
    base = str(decoder.parent / "base")
    swapped = share(merged(adapted(base, seed=seed)) for seed in (1, 0, 2))
    other = AdapterEnsembleScorer(
        swapped, ConversationEncoder(load_tokenizer(base)), STANDARD, cache=tmp_path / "cache"
    )
    other.score(FEW)
    assert other.statistics.cache_hits == 0
    # A single model keeps its rewards beside them.
    single = load_scorer(decoder / "members" / "0", cache=tmp_path / "cache")
    np.testing.assert_allclose((single.score(FEW).rewards - 0.5) / 1.0, members[0], atol=1e-5)


def test_a_damaged_cache_costs_no_result(decoder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = loaded(decoder, cache=tmp_path)
    wanted = before.score(FEW).rewards
    for file in tmp_path.iterdir():
        file.write_bytes(b"not a database" * 100) if file.suffix == ".sqlite" else file.unlink()
    again = loaded(decoder, cache=tmp_path)
    np.testing.assert_array_equal(again.score(FEW).rewards, wanted)
    assert again.statistics.computed == len(FEW)
    assert "is damaged" in caplog.text


def test_bf16_is_near(decoder: Path) -> None:
    exact, rough = loaded(decoder).score(FEW).members, loaded(decoder, precision="bf16").score(FEW).members
    assert exact is not None
    assert rough is not None
    assert 0 < np.abs(rough - exact).max() < 0.1 * np.abs(exact).max()


def test_what_scorer_json_says_must_fit(decoder: Path, tmp_path: Path) -> None:
    said = json.loads((decoder / SPEC_NAME).read_text())
    assert (said["family"], said["base"], said["members"][2]) == (
        "adapters",
        str(decoder.parent / "base"),
        "members/2",
    )
    (tmp_path / "members").symlink_to(decoder / "members")

    def with_changes(**changes: Any) -> Path:
        (tmp_path / SPEC_NAME).write_text(json.dumps(said | changes))
        return tmp_path

    assert len(loaded(with_changes()).score(FEW)) == len(FEW)
    with pytest.raises(ModelError, match="not an ensemble of adapters"):
        load_scorer(with_changes(rule="loudest"))
    with pytest.raises(ModelError, match="standard of other members"):
        load_scorer(with_changes(members=said["members"][:2]))
    with pytest.raises(ModelError, match="a member of another base"):
        load_scorer(with_changes(base="builtin:minilm-l6"))


def test_bad_settings_are_refused(decoder: Path) -> None:
    scorer = loaded(decoder)
    with pytest.raises(SettingsError, match="standard of other members"):
        AdapterEnsembleScorer(scorer.model, scorer.encoder, Standard(np.zeros(2), np.ones(2)))
    with pytest.raises(SettingsError, match="weight"):
        AdapterEnsembleScorer(scorer.model, scorer.encoder, STANDARD, rule="penalised", weight=-1.0)
    with pytest.raises(SettingsError, match="token_budget"):
        AdapterEnsembleScorer(scorer.model, scorer.encoder, STANDARD, token_budget=0)
