"""GRPO (Shao et al. 2024, arXiv:2402.03300) by TRL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets import Dataset
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer

from rewardsmith.models.causal_lm import CausalLm
from rewardsmith.optimise.settings import OptimiseSettings
from rewardsmith.optimise.trl.arguments import common_arguments, sampling_arguments


def grpo_trainer(lm: CausalLm, rows: Dataset, reward: Any, settings: OptimiseSettings, work: Path) -> GRPOTrainer:
    """The trainer. Advantages are divided by the standard deviation of their prompt; the loss is a mean over tokens of
    the step (`dapo`), so that long responses do not weigh less."""
    arguments = GRPOConfig(
        **common_arguments(settings, work),
        **sampling_arguments(settings),
        loss_type="dapo",
        scale_rewards="group",
    )
    return GRPOTrainer(
        model=lm.network,
        reward_funcs=reward,
        args=arguments,
        train_dataset=rows,
        processing_class=lm.tokenizer,
    )
