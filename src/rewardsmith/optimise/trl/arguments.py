"""What the configurations of TRL's trainers have in common, in the words of transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from rewardsmith.optimise.settings import OptimiseSettings


def common_arguments(settings: OptimiseSettings, work: Path) -> dict[str, Any]:
    """Arguments that DPO, GRPO and RLOO share.

    TRL's own defaults of bfloat16 and gradient checkpointing are for large GPUs, and are off. Checkpoints come with
    every measurement; which are kept is decided by `trl.keeper`.
    """
    training = settings.training
    return {
        "output_dir": str(work),
        "max_steps": training.steps,
        "learning_rate": training.learning_rate,
        "lr_scheduler_type": "constant",
        "weight_decay": 0.0,
        "max_grad_norm": training.max_grad_norm,
        "gradient_accumulation_steps": training.accumulation,
        "beta": settings.anchor.beta,
        "seed": settings.seed,
        "data_seed": settings.seed,
        "bf16": False,
        "fp16": False,
        "use_cpu": not torch.cuda.is_available(),
        "gradient_checkpointing": False,
        "disable_dropout": True,
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_first_step": False,
        "logging_nan_inf_filter": False,
        "eval_strategy": "no",
        "save_strategy": "steps",
        "save_steps": settings.measure.every_steps,
        "save_total_limit": None,
        "report_to": "none",
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "dataloader_pin_memory": torch.cuda.is_available(),
    }


def sampling_arguments(settings: OptimiseSettings) -> dict[str, Any]:
    """Arguments that GRPO and RLOO share: responses are draws of the policy itself, prompts come in their order."""
    training = settings.training
    rows = training.prompts_per_step * training.responses_per_prompt
    return {
        "per_device_train_batch_size": rows // training.accumulation,
        "num_generations": training.responses_per_prompt,
        "max_completion_length": training.max_new_tokens,
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": 0,
        "num_iterations": 1,
        "shuffle_dataset": False,
    }
