"""DPO (Rafailov et al. 2023, arXiv:2305.18290) by TRL."""

from __future__ import annotations

import copy
from pathlib import Path

from datasets import Dataset
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from rewardsmith.models.causal_lm import CausalLm
from rewardsmith.optimise.settings import OptimiseSettings
from rewardsmith.optimise.trl.arguments import common_arguments


def dpo_trainer(lm: CausalLm, reference: CausalLm, rows: Dataset, settings: OptimiseSettings, work: Path) -> DPOTrainer:
    """The trainer. No pair is cut: TRL would cut from the right, and take the end of a response away."""
    training = settings.training
    arguments = DPOConfig(
        **common_arguments(settings, work),
        per_device_train_batch_size=training.prompts_per_step // training.accumulation,
        max_length=None,
    )
    # TRL adds methods to the reference that it is given; ours is measured against, and stays as it is.
    return DPOTrainer(
        model=lm.network,
        ref_model=copy.deepcopy(reference.network),
        args=arguments,
        train_dataset=rows,
        processing_class=lm.tokenizer,
    )
