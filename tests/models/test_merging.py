"""Heads over one frozen backbone become one head; other models do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import ModelError
from rewardsmith.models import checkpoint
from rewardsmith.models.load import LoadedModel, load_checkpoint
from rewardsmith.models.merging import merge_heads, set_head
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.numerics.combination import Standard, standardise
from rewardsmith.scoring.reference import ReferenceScorer
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import prepared

FEW: list[Conversation] = [(user("hi"), assistant("x" * k)) for k in (1, 30, 7)]
STANDARD = Standard(np.array([0.5, -1.0]), np.array([2.0, 0.25]))


def saved(tiny: Any, folder: Path, kind: str, *, seed: int) -> LoadedModel:
    model = RewardModel(tiny.llama() if kind == "decoder" else tiny.bert())
    tokenizer = tiny.decoder_tokenizer() if kind == "decoder" else tiny.encoder_tokenizer()
    set_head(model, np.random.default_rng(seed).normal(size=tiny.HIDDEN), seed / 7)
    checkpoint.save(model, prepared(tokenizer), folder)
    return load_checkpoint(folder)


def rewards(model: RewardModel, loaded: LoadedModel) -> np.ndarray:
    return ReferenceScorer(model, ConversationEncoder(loaded.tokenizer)).score(FEW).rewards


@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_one_model_gives_the_sum_of_the_standardised_rewards(kind: str, tiny: Any, tmp_path: Path):
    """A decoder's head has no bias: there a constant is left out."""
    members = [saved(tiny, tmp_path / str(seed), kind, seed=seed) for seed in (1, 2)]
    before = [each.model.output_layer.weight.clone() for each in members]

    merged = merge_heads(members, STANDARD)

    wanted = standardise(np.stack([rewards(each.model, each) for each in members]), STANDARD).sum(axis=0)
    constant = (STANDARD.offsets / STANDARD.scales).sum() if kind == "decoder" else 0.0
    np.testing.assert_allclose(rewards(merged, members[0]), wanted + constant, rtol=1e-4)
    for each, weight in zip(members, before, strict=True):
        assert torch.equal(each.model.output_layer.weight, weight), "members stay as they are"


def test_another_backbone_is_refused(tiny: Any, tmp_path: Path):
    first, second = (saved(tiny, tmp_path / str(seed), "decoder", seed=seed) for seed in (1, 2))
    with torch.no_grad():
        next(second.model.network.parameters())[0, 0] += 1

    with pytest.raises(ModelError, match="same weights below the head"):
        merge_heads([first, second], STANDARD)
    with pytest.raises(ModelError, match="heads of different backbones"):
        merge_heads([first, saved(tiny, tmp_path / "encoder", "encoder", seed=3)], STANDARD)
    with pytest.raises(ModelError, match="no models"):
        merge_heads([], STANDARD)
