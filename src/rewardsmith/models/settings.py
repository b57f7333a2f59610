"""Settings of the model: which base, how its states become one number, and what is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from rewardsmith.core.settings import Settings

Pooling = Literal["last", "pooled", "mean"]


class ModelSettings(Settings):
    """A base model and the reward head on it."""

    base: str = "builtin:minilm-l6"
    """Folder, hub id, or a built-in model: `builtin:minilm-l6` (encoder), `builtin:smollm2-135m-instruct`
    (decoder)."""

    pooling: Literal["auto", "last", "pooled", "mean"] = "auto"
    """Which state the head reads: the last token's, the encoder's own pooled one, or the mean over tokens. `auto` is
    what plain transformers does: `last` for decoders, `pooled` for encoders. Others are not portable."""

    head: Literal["linear", "mlp"] = "linear"
    """`mlp` puts one hidden layer before the output; such a model loads in rewardsmith only."""

    keep_head: bool = False
    """Go on from the head that the base brings, a reward model then, as `rewardsmith refresh` does; else it is drawn
    anew. Pooling and kind of head must be the base's."""

    mlp_width: int | None = Field(default=None, ge=1)
    """Width of that hidden layer; the model's own width where absent."""

    trainable: Literal["all", "last_blocks", "head", "lora"] = "all"
    """What is trained: everything, the last blocks, only the head, or low-rank adapters."""

    blocks: int = Field(default=2, ge=1)
    """How many of the last blocks `last_blocks` trains."""

    lora_rank: int = Field(default=16, ge=1)
    """Rank of the adapters."""

    lora_alpha: float = Field(default=32.0, gt=0)
    """Adapters are scaled by alpha / rank; twice the rank is the usual choice."""

    lora_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on the adapters' input."""

    lora_targets: tuple[str, ...] | Literal["all-linear"] = "all-linear"
    """Names of the layers that get adapters."""

    lora_blocks: int | Literal["last_quarter"] | None = None
    """Only the last blocks get adapters: so many, or the last quarter (rounded down, at least one). Models that differ
    in their last blocks only are scored together at little more than the cost of one. All blocks where absent."""

    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout inside the base model. 0: both sides of a pair should go through the same network."""

    @model_validator(mode="after")
    def _width_needs_mlp(self) -> ModelSettings:
        if self.mlp_width is not None and self.head != "mlp":
            raise ValueError("mlp_width is set but head is not mlp")
        return self

    @model_validator(mode="after")
    def _lora_blocks_are_some_and_need_lora(self) -> ModelSettings:
        if isinstance(self.lora_blocks, int) and self.lora_blocks < 1:
            raise ValueError("lora_blocks is below one")
        if self.lora_blocks is not None and self.trainable != "lora":
            raise ValueError("lora_blocks is set but trainable is not lora")
        return self
