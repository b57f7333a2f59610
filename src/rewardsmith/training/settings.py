"""Settings of the training stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rewardsmith.core.settings import Settings

_BOOKKEEPING = frozenset({"log_every_steps", "save_every_steps", "keep_checkpoints", "reward_limit"})


class TrainingSettings(Settings):
    """How the weights are moved: AdamW on batches of preferences, through the transformers `Trainer`."""

    epochs: float = Field(default=1.0, gt=0)
    """Passes over the training set. Reward models overfit from the second pass on (2203.02155, C.2), hence one."""

    learning_rate: float = Field(default=2e-5, gt=0)
    """Peak step size of AdamW. 2e-5 suits encoders and small decoders; take about 1e-5 from 1 B parameters on."""

    batch_size: int = Field(default=32, ge=1)
    """Preferences in one optimiser step, over all devices; each brings all its responses."""

    token_budget: int | None = Field(default=None, ge=1)
    """Most tokens in one forward pass on one device; a single preference may exceed it. The optimiser step does not
    depend on it. Where absent 2,048 on a CPU and 16,384 on a GPU."""

    packing: Literal["auto", "never"] = "auto"
    """`auto` packs responses side by side without padding and computes what they share (the prompt) once in a decoder,
    where a probe shows that the model gives the same rewards so; otherwise, and with `never`, they are padded."""

    cache_features: Literal["auto", "never"] = "auto"
    """`auto` runs a model of which only the head is trained (`model.trainable: head`) once over each distinct response
    and trains the head on the features, kept on disk while training runs; `never` runs it again in each epoch."""

    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's decay of matrices (biases and norms are left out)."""

    warmup_share: float = Field(default=0.05, ge=0, lt=1)
    """Share of the optimiser steps over which the learning rate rises from 0: the head starts random."""

    schedule: Literal["linear", "cosine", "constant"] = "cosine"
    """Learning rate after the warm-up: down to 0 in a line or along a cosine, or constant."""

    sampling: Literal["uniform", "hard"] = "uniform"
    """`uniform`: each epoch is a permutation. `hard`: from the second epoch on, as many preferences are drawn with
    replacement, those more often whose rewards were near each other when they were last trained on. Off by default: the
    loss is then no likelihood, and wrong labels are drawn more often too. One epoch is the same with both."""

    sampling_temperature: float = Field(default=1.0, gt=0)
    """`hard` only: rewards. A preference is drawn in proportion to e^(−|Δ| / temperature): at 1, one with σ(Δ) = .88
    (Δ = 2) is drawn a seventh as often as one that is undecided."""

    max_grad_norm: float = Field(default=1.0, ge=0)
    """Gradients longer than this (L2) are scaled down to it. 0 never scales."""

    seed: int = Field(default=0, ge=0)
    """Seed of the new head, of the order of the preferences and of dropout, where there is any."""

    data_seed: int | None = Field(default=None, ge=0)
    """Seed of the order of the preferences, and of `bootstrap`, by themselves; `seed` where absent. Models that are
    to be averaged start from one head (`seed`) and differ by this."""

    bootstrap: bool = False
    """Train on as many prompt groups as there are, drawn with replacement by `data_seed`: about 63% of them, some
    several times. For the members of an ensemble."""

    precision: Literal["auto", "float32", "bf16"] = "auto"
    """Arithmetic inside the network. Weights, head and loss are float32 always; fp16 is not offered, since its range
    turns reward training into NaN. `auto` takes bf16 only where the processor multiplies it faster."""

    gradient_checkpointing: bool = False
    """Compute activations twice instead of keeping them: about a third slower, a fraction of the memory."""

    select: Literal["last", "best"] = "last"
    """Which weights become the artefact: the last ones, or those with the lowest held-out loss. `last` keeps the
    held-out figures honest, as nothing was chosen by them."""

    evaluate_every_epochs: float = Field(default=1.0, gt=0)
    """Epochs (or a share of one) between evaluations on the held-out set; the end is always evaluated."""

    log_every_steps: int = Field(default=10, ge=1)
    """Optimiser steps between lines of the training log."""

    save_every_steps: int = Field(default=50, ge=1)
    """Optimiser steps between work checkpoints: what a crash can cost."""

    keep_checkpoints: int = Field(default=2, ge=1)
    """Work checkpoints kept at a time, each about three times the model's size; all go once training has ended."""

    reward_limit: float = Field(default=50.0, gt=0)
    """Warn once when a reward's absolute value passes this. σ is flat long before, so such rewards carry nothing."""

    @property
    def order_seed(self) -> int:
        """Seed of the order of the preferences and of the bootstrap."""
        return self.seed if self.data_seed is None else self.data_seed

    def deciding(self) -> dict[str, object]:
        """The settings that decide the weights; those of logging and saving are left out."""
        return self.model_dump(mode="json", exclude=set(_BOOKKEEPING))
