"""The limit is the number of tokens that really work: one more fails."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import BloomConfig, BloomForSequenceClassification, RobertaConfig, RobertaForSequenceClassification

from rewardsmith.models.capacity import token_capacity
from rewardsmith.models.reward_model import RewardModel


def roberta(*, positions: int, pad: int = 1) -> RewardModel:
    known: Any = RobertaConfig
    config = known(
        vocab_size=261,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=4,
        max_position_embeddings=positions,
        type_vocab_size=1,
        pad_token_id=pad,
        num_labels=1,
    )
    torch.manual_seed(0)
    return RewardModel(RobertaForSequenceClassification(config).eval())


@pytest.mark.parametrize("pad", [0, 1, 3])
def test_roberta_cannot_use_the_positions_up_to_its_pad(tiny: Any, pad: int) -> None:
    model = roberta(positions=20, pad=pad)
    capacity = token_capacity(model, tiny.encoder_tokenizer())
    usable = 20 - pad - 1
    assert capacity == usable
    ids = torch.full((1, usable), 7)
    assert torch.isfinite(model(ids, torch.ones_like(ids))).all()
    longer = torch.full((1, usable + 1), 7)
    with pytest.raises((IndexError, RuntimeError), match="out of"):
        model(longer, torch.ones_like(longer))


def test_other_models_use_all_of_theirs(tiny: Any) -> None:
    tokenizer = tiny.encoder_tokenizer()
    assert token_capacity(RewardModel(tiny.bert(max_position_embeddings=64)), tokenizer) == 64
    assert token_capacity(RewardModel(tiny.llama(max_position_embeddings=64)), tokenizer) == 64


def test_the_tokenizer_may_know_a_smaller_limit_or_none(tiny: Any) -> None:
    tokenizer = tiny.decoder_tokenizer()  # its limit is 256
    model = RewardModel(tiny.llama(max_position_embeddings=512))
    assert token_capacity(model, tokenizer) == 256
    tokenizer.model_max_length = int(1e30)
    assert token_capacity(model, tokenizer) == 512
    known: Any = BloomConfig
    without_positions = known(vocab_size=261, hidden_size=32, n_layer=1, n_head=4, num_labels=1, pad_token_id=0)
    assert token_capacity(RewardModel(BloomForSequenceClassification(without_positions)), tokenizer) is None
