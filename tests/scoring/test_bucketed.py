"""The bucketed scorer equals the reference, whatever the order, the company and the budget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import OverlengthError, SettingsError
from rewardsmith.core.scores import Scorer
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.scoring.bucketed import BucketedScorer
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
        fast = BucketedScorer(model, encoder, max_padded_tokens=budget, model_digest="m")
        wanted = reference.score(conversations)
        np.testing.assert_allclose(fast.score(conversations).rewards, wanted.rewards, atol=1e-5)
        np.testing.assert_allclose(fast.score(conversations[::-1]).rewards[::-1], wanted.rewards, atol=1e-5)
        np.testing.assert_allclose(fast.features(conversations), reference.features(conversations), atol=1e-5)

    check()


def test_it_is_a_scorer_with_provenance(tiny: Any) -> None:
    model, encoder = make(tiny, "decoder")
    scorer = BucketedScorer(model, encoder)
    assert isinstance(scorer, Scorer)
    assert scorer.score(FEW).provenance == ReferenceScorer(model, encoder).score(FEW[:1]).provenance


def test_a_stream_gives_the_same_in_chunks(tiny: Any) -> None:
    model, encoder = make(tiny, "decoder")
    scorer = BucketedScorer(model, encoder)
    parts = list(scorer.score_stream(iter(FEW), chunk=3))
    assert [len(part) for part, _ in parts] == [3, 1]
    assert [c for part, _ in parts for c in part] == FEW
    rewards = np.concatenate([scores.rewards for _, scores in parts])
    np.testing.assert_allclose(rewards, scorer.score(FEW).rewards, atol=1e-5)


def test_a_stream_reads_no_more_than_a_chunk_ahead(tiny: Any) -> None:
    read: list[int] = []

    def source() -> Iterator[Conversation]:
        for number, conversation in enumerate(FEW):
            read.append(number)
            yield conversation

    next(BucketedScorer(*make(tiny, "decoder")).score_stream(source(), chunk=2))
    assert read == [0, 1]


def test_too_long_raises_or_is_cut_and_counted(tiny: Any) -> None:
    model, encoder = make(tiny, "decoder")
    short = ConversationEncoder(encoder.tokenizer, max_tokens=40)
    with pytest.raises(OverlengthError, match=r"conversation 1: .*at most 40"):
        BucketedScorer(model, short).score(FEW)
    with pytest.raises(OverlengthError, match="conversation 1: "):
        list(BucketedScorer(model, short).score_stream(FEW, chunk=1))
    scorer = BucketedScorer(model, short, overlength="truncate")
    wanted = ReferenceScorer(model, short, overlength="truncate").score(FEW).rewards
    np.testing.assert_allclose(scorer.score(FEW).rewards, wanted, atol=1e-5)
    assert scorer.n_truncated == 1


def test_nothing_to_score(tiny: Any) -> None:
    scorer = BucketedScorer(*make(tiny, "encoder"))
    assert scorer.score([]).rewards.shape == (0,)
    assert scorer.features([]).shape == (0, tiny.HIDDEN)
    assert list(scorer.score_stream([])) == []


def test_bf16_is_near_and_returns_float32(tiny: Any) -> None:
    model, encoder = make(tiny, "decoder")
    exact = BucketedScorer(model, encoder).score(FEW).rewards
    rough = BucketedScorer(model, encoder, precision="bf16").score(FEW).rewards
    assert rough.dtype == np.float32
    assert np.abs(rough - exact).max() < 0.05 * np.abs(exact).max()
    assert np.abs(rough - exact).max() > 0
    assert not BucketedScorer(model, encoder, precision="auto").uses_bf16


def test_bad_settings_are_refused(tiny: Any) -> None:
    model, encoder = make(tiny, "decoder")
    with pytest.raises(SettingsError, match="max_padded_tokens"):
        BucketedScorer(model, encoder, max_padded_tokens=0)
    with pytest.raises(SettingsError, match="precision"):
        BucketedScorer(model, encoder, precision="int4")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="chunk"):
        next(BucketedScorer(model, encoder).score_stream(FEW, chunk=0))
