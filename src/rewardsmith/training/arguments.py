"""Training settings in the words of the transformers `Trainer`."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import TrainingArguments

from rewardsmith.training.precision import Precision
from rewardsmith.training.settings import TrainingSettings


def training_arguments(
    settings: TrainingSettings, work: Path, *, precision: Precision, steps_per_epoch: int
) -> TrainingArguments:
    """Arguments of a run that keeps its checkpoints in `work`.

    Rotation and the choice of the best checkpoint are left to `RewardTrainer`, which saves atomically; the sums over
    devices too, hence `average_tokens_across_devices=False`. The loss filter is off, since it would hide a NaN.

    Args:
        steps_per_epoch: Optimiser steps in one epoch, to turn epochs between evaluations into steps.
    """
    evaluate_every = max(1, round(settings.evaluate_every_epochs * steps_per_epoch))
    arguments = TrainingArguments(
        output_dir=str(work),
        num_train_epochs=settings.epochs,
        # The loader gives a device its whole share of a step, and `RewardTrainer` cuts that by tokens.
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=1,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        warmup_steps=settings.warmup_share,
        lr_scheduler_type="constant_with_warmup" if settings.schedule == "constant" else settings.schedule,
        max_grad_norm=settings.max_grad_norm,
        seed=settings.seed,
        data_seed=settings.order_seed,
        bf16=precision == "bf16",
        use_cpu=not torch.cuda.is_available(),
        logging_strategy="steps",
        logging_steps=settings.log_every_steps,
        logging_nan_inf_filter=False,
        eval_strategy="steps",
        eval_steps=evaluate_every,
        save_strategy="steps",
        save_steps=settings.save_every_steps,
        save_total_limit=None,
        metric_for_best_model="eval_loss" if settings.select == "best" else None,
        greater_is_better=False if settings.select == "best" else None,
        average_tokens_across_devices=False,
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        report_to="none",
        disable_tqdm=True,
    )
    if arguments.n_gpu > 1:
        # One process with several GPUs would get nn.DataParallel, which cuts a batch's tensors apart. Several GPUs are
        # used through torchrun or accelerate, one process each.
        arguments._n_gpu = 1
    return arguments
