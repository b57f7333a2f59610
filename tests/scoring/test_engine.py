"""The fast scorer equals the reference, whatever the order, the company and the budget."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import ModelError, OverlengthError, SettingsError
from rewardsmith.core.scores import Scorer
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.scoring.engine import FastScorer
from rewardsmith.scoring.provenance import state_digest
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


@pytest.mark.parametrize("kind", KINDS)
def test_bf16_is_near_and_returns_float32(tiny: Any, kind: str) -> None:
    model, encoder = make(tiny, kind)
    exact = FastScorer(model, encoder).score(FEW).rewards
    rough = FastScorer(model, encoder, precision="bf16").score(FEW).rewards
    assert rough.dtype == np.float32
    assert np.abs(rough - exact).max() < 0.05 * np.abs(exact).max()
    assert np.abs(rough - exact).max() > 0
    assert not FastScorer(model, encoder, precision="auto").uses_bf16


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_tokens_in_bf16_are_multiples_of_16(tiny: Any, kind: str) -> None:
    """oneDNN compiles each product again for each number of tokens."""
    scorer = FastScorer(*make(tiny, kind), precision="bf16")
    seen: set[int] = set()
    for count in range(1, 20):
        before = scorer.statistics.computed_tokens
        scorer.score([(user("hi"), assistant("x" * count))])
        seen.add(scorer.statistics.computed_tokens - before)
    assert {tokens % 16 for tokens in seen} == {0}
    assert len(seen) <= 3


def test_a_padding_token_that_the_model_does_not_know_is_not_read_in_bf16(tiny: Any) -> None:
    """Tokenizers are given one without the embeddings being resized."""
    model, encoder = make(tiny, "decoder")
    wanted = FastScorer(model, encoder, precision="bf16").score(FEW).rewards
    encoder.tokenizer.add_special_tokens({"pad_token": "<added>"})
    assert encoder.pad_id >= model.config.vocab_size
    np.testing.assert_array_equal(FastScorer(model, encoder, precision="bf16").score(FEW).rewards, wanted)


def test_bf16_follows_weights_that_change_between_calls(tiny: Any) -> None:
    model, encoder = make(tiny, "decoder")
    scorer = FastScorer(model, encoder, precision="bf16")
    before = scorer.score(FEW)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    after = scorer.score(FEW)
    np.testing.assert_array_equal(after.rewards, FastScorer(model, encoder, precision="bf16").score(FEW).rewards)
    assert np.abs(after.rewards - before.rewards).max() > 1e-3
    assert after.provenance.model_digest != before.provenance.model_digest


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
    scorer.features(candidates)  # whether the model packs is tried once, and features are not remembered

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


# Few texts, so that many are equal.
REPEATED = st.lists(
    st.sampled_from([(user(prompt), assistant(text)) for prompt in ("hi", "ho " * 9) for text in ("", "x", "y" * 30)]),
    max_size=12,
)


@pytest.mark.parametrize("kind", KINDS)
def test_duplicates_windows_and_the_cache_change_nothing(tiny: Any, kind: str) -> None:
    model, encoder = make(tiny, kind)
    reference = ReferenceScorer(model, encoder, model_digest="m")
    old = FastScorer(model, encoder, model_digest="m")

    @settings(max_examples=25, deadline=None)
    @given(conversations=REPEATED, budget=st.integers(1, 400), window=st.integers(1, 200))
    def check(conversations: list[Conversation], budget: int, window: int) -> None:
        fast = FastScorer(model, encoder, token_budget=budget, model_digest="m")
        wanted = reference.score(conversations).rewards
        streamed = list(fast.score_stream(iter(conversations), window_tokens=window))
        np.testing.assert_allclose(np.array(streamed), wanted, atol=1e-5)
        np.testing.assert_allclose(old.score(conversations).rewards, wanted, atol=1e-5)
        assert fast.statistics.computed == len(set(conversations))
        # What was computed once comes back bit for bit, in whatever company.
        np.testing.assert_array_equal(fast.score(conversations).rewards, np.array(streamed, np.float32))
        assert fast.statistics.computed == len(set(conversations))
        assert fast.statistics.texts == 2 * len(conversations)
        fresh = FastScorer(model, encoder, token_budget=budget, model_digest="m")
        if conversations:
            np.testing.assert_allclose(fresh.features(conversations), reference.features(conversations), atol=1e-5)
            assert fresh.statistics.computed == len(set(conversations))

    check()


def test_statistics_by_hand(tiny: Any) -> None:
    """An encoder shares nothing: what is computed is what the distinct texts have."""
    model, encoder = make(tiny, "encoder")
    scorer = FastScorer(model, encoder)
    a, b = [(user("hi"), assistant(text)) for text in ("x", "yy")]
    n_a, n_b = (len(ids) for ids in encoder.encode([a, b]))
    assert n_b == n_a + 1
    scorer.score([a, b, a])
    first = scorer.statistics
    assert (first.texts, first.computed, first.cache_hits, first.duplicates) == (3, 2, 0, 1)
    assert (first.tokens, first.computed_tokens) == (2 * n_a + n_b, n_a + n_b)
    assert first.seconds > 0
    scorer.score([b, b])
    assert list(scorer.score_stream(iter([a]))) == [scorer.score([a]).rewards[0]]
    last = scorer.statistics
    assert (last.texts, last.computed, last.cache_hits, last.duplicates) == (7, 2, 4, 1)
    assert last.computed_tokens == first.computed_tokens


def test_texts_that_render_alike_share_a_reward_and_a_cut_one_does_not(tiny: Any) -> None:
    """The encoder's tokenizer has no capital letters. A prompt that is cut is another text, until both are cut."""
    model, encoder = make(tiny, "encoder")
    scorer = FastScorer(model, encoder)
    scorer.score([(user("hi"), assistant("x")), (user("HI"), assistant("X"))])
    assert scorer.statistics.computed == 1
    model, encoder = make(tiny, "decoder")
    long: list[Conversation] = [(user(letter + "p" * 50), assistant("x")) for letter in "ab"]
    scorer = FastScorer(model, ConversationEncoder(encoder.tokenizer, max_tokens=40), overlength="truncate")
    scorer.score(long)
    assert (scorer.statistics.computed, scorer.n_truncated) == (1, 2)


def test_candidates_in_separate_rows_of_a_stream_share_their_prompt(tiny: Any) -> None:
    model, encoder = make(tiny, "decoder")
    prompts = ["What is the capital of the largest country in the world? " * 2 + letter for letter in "abcdef"]
    rows: list[Conversation] = [(user(prompt), assistant("x" * k)) for k in range(4) for prompt in prompts]
    scorer = FastScorer(model, encoder)
    rewards = list(scorer.score_stream(iter(rows)))
    np.testing.assert_allclose(rewards, ReferenceScorer(model, encoder).score(rows).rewards, atol=1e-5)
    assert scorer.statistics.computed_tokens < 0.4 * scorer.statistics.tokens


def test_a_stream_is_read_no_further_than_needed(tiny: Any) -> None:
    model, encoder = make(tiny, "decoder")
    taken: list[int] = []

    def endless() -> Iterator[Conversation]:
        while True:
            taken.append(len(taken))
            yield (user("hi"), assistant(str(len(taken))))

    stream = FastScorer(model, encoder).score_stream(endless(), window_tokens=1000)
    some = [next(stream) for _ in range(500)]
    assert len(set(some)) > 400
    assert len(taken) <= 500 + 2 * 128


def test_what_comes_before_a_refused_conversation_is_scored_first(tiny: Any) -> None:
    model, encoder = make(tiny, "decoder")
    short = ConversationEncoder(encoder.tokenizer, max_tokens=40)
    few = [FEW[0]] * 200 + [FEW[1]]
    stream = FastScorer(model, short).score_stream(few)
    assert len([next(stream) for _ in range(200)]) == 200
    with pytest.raises(OverlengthError, match="conversation 200"):
        next(stream)
    empty = FastScorer(model, encoder).score_stream([FEW[0], ()])
    next(empty)
    with pytest.raises(ModelError, match="empty conversation"):
        next(empty)


def test_weights_that_change_between_calls_are_another_model(tiny: Any, tmp_path: Path) -> None:
    """In the way of an optimiser, by way of `.data`, and back again."""
    model, encoder = make(tiny, "decoder")
    scorer = FastScorer(model, encoder, model_digest="m", cache=tmp_path)
    before = scorer.score(FEW)
    assert before.provenance.model_digest == "m"
    weight = model.output_layer.weight
    with torch.no_grad():
        weight.mul_(2.0)
    twice = scorer.score(FEW)
    np.testing.assert_allclose(twice.rewards, ReferenceScorer(model, encoder).score(FEW).rewards, atol=1e-5)
    assert twice.provenance.model_digest == state_digest(model)
    weight.data.mul_(2.0)
    np.testing.assert_allclose(scorer.score(FEW).rewards, 4 * before.rewards, atol=1e-4)
    assert scorer.statistics.cache_hits == 0
    weight.data.mul_(0.25)
    np.testing.assert_array_equal(scorer.score(FEW).rewards, before.rewards)
    assert scorer.statistics.cache_hits == len(FEW)


def test_the_disk_serves_the_same_scoring_only(tiny: Any, tmp_path: Path) -> None:
    def hits(model: RewardModel, encoder: ConversationEncoder, **options: Any) -> int:
        # A digest that somebody claims decides nothing: what is in memory does.
        scorer = FastScorer(model, encoder, model_digest="same", cache=tmp_path, **options)
        wanted = FastScorer(model, encoder, **options).score(FEW).rewards
        np.testing.assert_allclose(scorer.score(FEW).rewards, wanted, atol=1e-5)
        return scorer.statistics.cache_hits

    model, encoder = make(tiny, "decoder")
    assert hits(model, encoder) == 0
    assert hits(*make(tiny, "decoder")) == len(FEW)
    assert hits(model, encoder, token_budget=1) == len(FEW)
    other = RewardModel(tiny.llama())
    with torch.no_grad():
        other.output_layer.weight[0, 0] += 1e-3
    assert hits(other, encoder) == 0
    assert hits(RewardModel(tiny.llama(), pooling_name="mean"), encoder) == 0
    slower = RewardModel(tiny.llama(rope_parameters={"rope_type": "default", "rope_theta": 10000.0}))
    assert hits(slower, encoder) == 0
    assert hits(model, encoder, precision="bf16") == 0
    assert hits(model, encoder, precision="bf16") == len(FEW)
    template = encoder.tokenizer.chat_template.replace("'\\n' }}", "'\\n\\n' }}")
    assert template != encoder.tokenizer.chat_template
    assert hits(model, ConversationEncoder(tiny.decoder_tokenizer(template=template))) == 0
    assert hits(model, encoder) == len(FEW)


def test_with_fixed_weights_the_scores_are_the_same_and_changes_are_not_looked_for(tiny: Any) -> None:
    model, encoder = make(tiny, "decoder")
    model.train()
    wanted = FastScorer(model, encoder).score(FEW).rewards
    assert model.training
    scorer = FastScorer(model, encoder)
    scorer.fix_weights()
    np.testing.assert_array_equal(scorer.score(FEW).rewards, wanted)
    assert not model.training
    with torch.no_grad():
        model.output_layer.weight *= 2
    np.testing.assert_array_equal(scorer.score(FEW).rewards, wanted)


def test_no_more_is_remembered_than_it_may(tiny: Any, tmp_path: Path) -> None:
    model, encoder = make(tiny, "decoder")
    scorer, keeping = FastScorer(model, encoder), FastScorer(model, encoder, cache=tmp_path)
    for each in (scorer, keeping):
        each.score(FEW)
        each.remember_at_most(0)

    again, kept = scorer.score([*FEW, FEW[0]]), keeping.score(FEW)

    # All four are computed a second time, and the one that is there twice is still computed once.
    assert (scorer.statistics.computed, scorer.statistics.cache_hits) == (8, 0)
    assert (keeping.statistics.computed, keeping.statistics.cache_hits) == (4, 4)
    np.testing.assert_allclose(again.rewards[:4], kept.rewards, atol=1e-6)
    scorer.remember_at_most(2)
    scorer.score(FEW)
    scorer.score(FEW)
    # Four more, then the two that were forgotten.
    assert (scorer.statistics.computed, scorer.statistics.cache_hits) == (8 + 4 + 2, 2)
