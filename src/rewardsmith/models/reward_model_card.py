"""`reward_model.json`: what a checkpoint is, beyond what `config.json` can say."""

from __future__ import annotations

from typing import Literal

from rewardsmith.core.settings import Settings
from rewardsmith.models.settings import Pooling


class RewardModelCard(Settings):
    """How a checkpoint's reward is read. The defaults are what plain transformers does."""

    pooling: Pooling | None = None
    """The state that the head reads; the architecture's own where absent."""

    head: Literal["linear", "mlp"] = "linear"
    """`mlp`: the head lies in `reward_head.safetensors`, and the network's own head is not used."""

    portable: bool = True
    """Plain transformers, TRL and servers compute the same reward from this folder."""

    template_digest: str | None = None
    """Digest of the chat template that the model was trained with."""

    max_tokens: int | None = None
    """Longest conversation that it was trained on."""

    base: str | None = None
    """The base model's name in the recipe."""
