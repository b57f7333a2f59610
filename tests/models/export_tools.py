"""Small reward models of every kind that is exported, and batches for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from tests.models import tiny

from rewardsmith.batching.collate import Padded, pad
from rewardsmith.models.head import MlpHead
from rewardsmith.models.reward_model import RewardModel

VOCABULARY = 256
KINDS = ("llama", "mistral", "llama-mean", "bert", "bert-mean", "bert-mlp")


def reward_model(kind: str) -> RewardModel:
    """A model of `kind`, in evaluation mode."""
    network: Any = {
        "llama": tiny.llama,
        "mistral": lambda: tiny.mistral(sliding_window=8),
        "bert": tiny.bert,
    }[kind.partition("-")[0]]()
    torch.manual_seed(1)
    mlp = MlpHead(tiny.HIDDEN, width=12) if kind.endswith("mlp") else None
    return RewardModel(network, pooling_name="mean" if kind.endswith("mean") else None, mlp=mlp).eval()


def batch(lengths: Sequence[int], *, seed: int = 0, pad_id: int = 0) -> Padded:
    """Random ids in so many sequences, padded on the right."""
    rng = np.random.default_rng(seed)
    return pad([rng.integers(5, VOCABULARY, size=length) for length in lengths], pad_id=pad_id)


def expected(model: RewardModel, padded: Padded) -> np.ndarray:
    """What the model itself gives."""
    with torch.inference_mode():
        return model(torch.from_numpy(padded.input_ids), torch.from_numpy(padded.attention_mask)).numpy()
