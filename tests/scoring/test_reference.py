"""The reference scorer, against the plainest loop there is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from rewardsmith.core.conversation import Conversation, assistant, to_dicts, user
from rewardsmith.core.errors import OverlengthError
from rewardsmith.core.scores import Scorer
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.scoring.reference import ReferenceScorer
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import prepared

CONVERSATIONS: list[Conversation] = [(user("hi"), assistant("x" * k)) for k in (1, 30, 7)]


@pytest.fixture(params=["decoder", "encoder"])
def parts(request: pytest.FixtureRequest, tiny: Any) -> tuple[Any, Any]:
    if request.param == "decoder":
        return tiny.llama(), prepared(tiny.decoder_tokenizer())
    return tiny.bert(), prepared(tiny.encoder_tokenizer())


def test_equal_to_a_plain_loop(parts: tuple[Any, Any]) -> None:
    network, tokenizer = parts
    scorer = ReferenceScorer(RewardModel(network), ConversationEncoder(tokenizer))
    assert isinstance(scorer, Scorer)
    with torch.inference_mode():
        wanted = [
            network(**tokenizer.apply_chat_template(to_dicts(c), return_tensors="pt", return_dict=True)).logits.item()
            for c in CONVERSATIONS
        ]
    scores = scorer.score(CONVERSATIONS)
    np.testing.assert_allclose(scores.rewards, wanted, atol=1e-5)
    assert scores.rewards.dtype == np.float32
    assert scores.provenance.template_digest == ConversationEncoder(tokenizer).template_digest
    assert len(scores.provenance.model_digest) == 64


def test_dropout_is_off_and_the_mode_is_given_back(tiny: Any) -> None:
    model = RewardModel(tiny.bert(hidden_dropout_prob=0.5)).train()
    scorer = ReferenceScorer(model, ConversationEncoder(tiny.encoder_tokenizer()))
    first, second = scorer.score(CONVERSATIONS).rewards, scorer.score(CONVERSATIONS).rewards
    np.testing.assert_array_equal(first, second)
    assert model.training
    assert model.network.training


def test_too_long(tiny: Any) -> None:
    model, tokenizer = RewardModel(tiny.llama()), prepared(tiny.decoder_tokenizer())
    encoder = ConversationEncoder(tokenizer, max_tokens=40)
    with pytest.raises(OverlengthError, match="conversation 1"):
        ReferenceScorer(model, encoder).score(CONVERSATIONS)
    scorer = ReferenceScorer(model, encoder, overlength="truncate")
    assert len(scorer.score(CONVERSATIONS)) == 3
    assert scorer.n_truncated == 1


def test_nothing_to_score(tiny: Any) -> None:
    scorer = ReferenceScorer(RewardModel(tiny.llama()), ConversationEncoder(tiny.decoder_tokenizer()))
    assert scorer.score([]).rewards.shape == (0,)
