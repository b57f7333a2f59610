"""One run of policy training, as a recipe says it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from rewardsmith.core.settings import Settings
from rewardsmith.optimise.anchor import AnchorSettings
from rewardsmith.optimise.load import GoldKind
from rewardsmith.optimise.ppo.settings import PpoSettings
from rewardsmith.optimise.reward.settings import RewardSettings
from rewardsmith.optimise.watch import StopSettings, WatchSettings
from rewardsmith.scoring.limits import Overlength

Method = Literal["dpo", "grpo", "rloo", "ppo"]


class GoldSettings(Settings):
    """What responses are really worth, to watch the run by."""

    kind: GoldKind
    """`rubric`, `model`, `ratings` or `labels`."""

    source: str
    """File, folder, built-in set, or reward model."""

    rating: str | None = None
    """Of several ratings in a file, the one to read."""


class MeasureSettings(Settings):
    """Fresh samples on prompts that are not trained on (DPO, GRPO, RLOO; PPO measures KL on every batch)."""

    every_steps: int = Field(default=10, ge=1)
    """A checkpoint is written then, too: what a killed run goes on from."""

    prompts: int = Field(default=8, ge=1)
    """Prompts that are set aside for it."""

    n: int = Field(default=4, ge=2)
    """Responses a prompt."""


class TrlSettings(Settings):
    """Training by TRL."""

    steps: int = Field(default=50, ge=1)
    """Optimiser steps."""

    prompts_per_step: int = Field(default=4, ge=1)
    """Prompts of a step; pairs of a step in DPO."""

    responses_per_prompt: int = Field(default=4, ge=2)
    """GRPO, RLOO: responses that are compared."""

    accumulation: int = Field(default=1, ge=1)
    """Parts that a step is computed in, for memory. Must divide prompts_per_step."""

    max_new_tokens: int = Field(default=48, ge=1)
    """Longest response, its end token included."""

    learning_rate: float = Field(default=1e-5, gt=0)
    """Constant."""

    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients are scaled down to this norm."""

    last_blocks: int | None = Field(default=None, ge=1)
    """Train this many blocks and what stands above them; all where absent."""

    @model_validator(mode="after")
    def _parts_are_whole(self) -> Self:
        if self.prompts_per_step % self.accumulation:
            raise ValueError("accumulation must divide prompts_per_step")
        return self


class OptimiseSettings(Settings):
    """One run."""

    policy: str = "builtin:smollm2-135m-instruct"
    """The model to train: built-in name, folder or hub id. As it is at the start, it is the reference."""

    reward_model: str | None = None
    """Folder, hub id or URL. DPO on judged pairs needs none."""

    prompts: str | None = None
    """File or built-in set with the prompts."""

    pairs: str | None = None
    """DPO: preferences, or the folder of a best-of run, whose best and worst become pairs."""

    least_margin: float = Field(default=0.0, ge=0)
    """DPO from scored samples: the reward's difference must be larger."""

    checker: str | None = None
    """`number`, `regex`, or `package.module:function`: a verifiable reward beside the model's."""

    overlength: Overlength = "raise"
    """What happens to conversations that are too long for the reward model."""

    reward: RewardSettings = RewardSettings()
    """What is made of the reward."""

    gold: GoldSettings | None = None
    """Watches the run, and chooses the checkpoint that is kept."""

    anchor: AnchorSettings = AnchorSettings()
    """How the policy is held near its reference."""

    watch: WatchSettings = WatchSettings()
    """Signs of hacking."""

    stop: StopSettings = StopSettings()
    """When the run ends early."""

    measure: MeasureSettings = MeasureSettings()
    """Fresh samples while it runs."""

    training: TrlSettings = TrlSettings()
    """DPO, GRPO, RLOO."""

    ppo: PpoSettings = PpoSettings()
    """PPO."""

    seed: int = 0
    """Of DPO, GRPO, RLOO and of the choice of prompts. PPO has its own."""
