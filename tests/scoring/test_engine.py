"""The fast scorer equals the reference, whatever the order, the company and the budget."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import OverlengthError, SettingsError
from rewardsmith.core.scores import Scorer
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.scoring.engine import FastScorer
from rewardsmith.scoring.reference import ReferenceScorer
from rewardsmith.text.encoder import ConversationEncoder

TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
CONVERSATIONS = st.lists(
    st.tuples(TEXTS, TEXTS).map(lambda texts: (user(texts[0]), assistant(texts[1]))), min_size=1, max_size=8
)
FEW: list[Conversation] = [(user("hi"), assistant("x" * k)) for k in (1, 30, 7, 12)]
KINDS = ["decoder", "encoder", "mean"]


def make(tiny: Any, kind: str) -> tuple[RewardModel, ConversationEncoder]:
    if kind == "decoder":
        return RewardModel(tiny.llama()), ConversationEncoder(tiny.decoder_tokenizer())
    pooling = "mean" if kind == "mean" else None
    return RewardModel(tiny.bert(), pooling_name=pooling), ConversationEncoder(tiny.encoder_tokenizer())


@pytest.mark.parametrize("kind", KINDS)
def test_equal_to_the_reference(tiny: Any, kind: str) -> None:
    model, encoder = make(tiny, kind)
    reference = ReferenceScorer(model, encoder)

    @settings(max_examples=20, deadline=None)
    @given(conversations=CONVERSATIONS, budget=st.integers(1, 400))
    def check(conversations: list[Conversation], budget: int) -> None:
        fast = FastScorer(model, encoder, token_budget=budget, model_digest="m")
        wanted = reference.score(conversations)
        np.testing.assert_allclose(fast.score(conversations).rewards, wanted.rewards, atol=1e-5)
        np.testing.assert_allclose(fast.score(conversations[::-1]).rewards[::-1], wanted.rewards, atol=1e-5)
        np.testing.assert_allclose(fast.features(conversations), reference.features(conversations), atol=1e-5)

    check()


def test_it_is_a_scorer_with_provenance(tiny: Any) -> None:
    model, encoder = make(tiny, "decoder")
    scorer = FastScorer(model, encoder)
    assert isinstance(scorer, Scorer)
    assert scorer.score(FEW).provenance == ReferenceScorer(model, encoder).score(FEW[:1]).provenance


def test_too_long_raises_or_is_cut_and_counted(tiny: Any) -> None:
    model, encoder = make(tiny, "decoder")
    short = ConversationEncoder(encoder.tokenizer, max_tokens=40)
    with pytest.raises(OverlengthError, match=r"conversation 1: .*at most 40"):
        FastScorer(model, short).score(FEW)
    scorer = FastScorer(model, short, overlength="truncate")
    wanted = ReferenceScorer(model, short, overlength="truncate").score(FEW).rewards
    np.testing.assert_allclose(scorer.score(FEW).rewards, wanted, atol=1e-5)
    assert scorer.n_truncated == 1


def test_nothing_to_score(tiny: Any) -> None:
    scorer = FastScorer(*make(tiny, "encoder"))
    assert scorer.score([]).rewards.shape == (0,)
    assert scorer.features([]).shape == (0, tiny.HIDDEN)


def test_bf16_is_near_and_returns_float32(tiny: Any) -> None:
    model, encoder = make(tiny, "decoder")
    exact = FastScorer(model, encoder).score(FEW).rewards
    rough = FastScorer(model, encoder, precision="bf16").score(FEW).rewards
    assert rough.dtype == np.float32
    assert np.abs(rough - exact).max() < 0.05 * np.abs(exact).max()
    assert np.abs(rough - exact).max() > 0
    assert not FastScorer(model, encoder, precision="auto").uses_bf16


def test_bad_settings_are_refused(tiny: Any) -> None:
    model, encoder = make(tiny, "decoder")
    with pytest.raises(SettingsError, match="token_budget"):
        FastScorer(model, encoder, token_budget=0)
    with pytest.raises(SettingsError, match="precision"):
        FastScorer(model, encoder, precision="int4")  # type: ignore[arg-type]


def test_candidates_of_one_prompt_are_computed_with_it_once(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, encoder = make(tiny, "decoder")
    prompt = "What is the capital of the largest country in the world?"
    candidates: list[Conversation] = [(user(prompt), assistant("Moscow" * k)) for k in (1, 2, 3, 4)]
    computed: list[int] = []
    features = model.features
    scorer = FastScorer(model, encoder)
    scorer.score(candidates)

    def counted(input_ids: Any, *rest: Any, **named: Any) -> Any:
        computed.append(input_ids.numel())
        return features(input_ids, *rest, **named)

    monkeypatch.setattr(model, "features", counted)
    rewards = scorer.score(candidates).rewards
    lengths = [len(ids) for ids in encoder.encode(candidates)]
    assert sum(computed) < max(lengths) + 60 < sum(lengths)
    np.testing.assert_allclose(rewards, ReferenceScorer(model, encoder).score(candidates).rewards, atol=1e-5)


def test_a_model_that_cannot_pack_is_padded_with_one_line(tiny: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The window of 64 tokens is wider than the first conversations and narrower than the next ones."""
    network = tiny.mistral(sliding_window=64)
    model, encoder = RewardModel(network), ConversationEncoder(tiny.decoder_tokenizer())
    scorer = FastScorer(model, encoder)
    reference = ReferenceScorer(model, encoder)
    for length in (1, 90, 95):
        some: list[Conversation] = [(user("hi"), assistant("x" * length)), (user("ho"), assistant("y"))]
        np.testing.assert_allclose(scorer.score(some).rewards, reference.score(some).rewards, atol=1e-5)
    assert len([record for record in caplog.records if "padded, not packed" in record.getMessage()]) == 1
