"""RLOO (Ahmadian et al. 2024, arXiv:2402.14740) by TRL: the other responses to a prompt are the baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets import Dataset
from trl.trainer.rloo_config import RLOOConfig
from trl.trainer.rloo_trainer import RLOOTrainer

from rewardsmith.models.causal_lm import CausalLm
from rewardsmith.optimise.settings import OptimiseSettings
from rewardsmith.optimise.trl.arguments import common_arguments, sampling_arguments


def rloo_trainer(lm: CausalLm, rows: Dataset, reward: Any, settings: OptimiseSettings, work: Path) -> RLOOTrainer:
    """The trainer. The price of KL is of whole responses, paid in the reward."""
    return RLOOTrainer(
        model=lm.network,
        reward_funcs=reward,
        args=RLOOConfig(**common_arguments(settings, work), **sampling_arguments(settings)),
        train_dataset=rows,
        processing_class=lm.tokenizer,
    )
