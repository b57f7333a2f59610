"""Settings of PPO."""

from __future__ import annotations

from pydantic import Field

from rewardsmith.core.settings import Settings


class PpoSettings(Settings):
    """One run of PPO. Responses are sampled at temperature 1: at another one the ratio would be of other policies."""

    steps: int = Field(default=50, ge=1)
    """Batches of fresh responses."""

    prompts_per_step: int = Field(default=16, ge=1)
    """Prompts of a batch, one response each; drawn anew a step."""

    max_new_tokens: int = Field(default=48, ge=1)
    """Longest response, its end token included."""

    epochs: int = Field(default=2, ge=1)
    """Passes over a batch. More than a few leave the region where its advantages hold."""

    minibatches: int = Field(default=2, ge=1)
    """Optimiser steps a pass."""

    learning_rate: float = Field(default=1e-5, gt=0)
    """Of the policy; constant."""

    value_learning_rate: float = Field(default=1e-3, gt=0)
    """Of the value head, which starts at nought and has to catch up."""

    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients are scaled down to this norm."""

    clip: float = Field(default=0.2, gt=0, lt=1)
    """ε of the policy's ratio."""

    value_clip: float = Field(default=0.2, gt=0)
    """ε of the values, in rewards."""

    value_weight: float = Field(default=0.1, ge=0)
    """Weight of the value loss. It reaches the policy's own layers, so that it is kept small."""

    gamma: float = Field(default=1.0, gt=0, le=1)
    """Discount a token: a reward at the end of a response counts in full for its first token."""

    gae_lambda: float = Field(default=0.95, ge=0, le=1)
    """1: the whole return, without bias; 0: one step ahead, without noise."""

    whiten: bool = True
    """Advantages of a batch with mean 0 and standard deviation 1."""

    most_nats_a_batch: float | None = Field(default=0.1, gt=0)
    """The passes over a batch end once the policy is this far from the one that wrote it (nats a token, k3)."""

    last_blocks: int | None = Field(default=None, ge=1)
    """Train this many blocks and what stands above them; all where absent."""

    token_budget: int = Field(default=2048, ge=1)
    """Most tokens in one forward pass, padding included. It changes no number."""

    save_every_steps: int = Field(default=10, ge=1)
    """A killed run goes on from the last of these."""

    seed: int = 0
    """Of the order of prompts and of every response."""
