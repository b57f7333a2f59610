"""Step models from disk: a base with a new head, or a checkpoint whose head must be there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import TaskType
from torch import nn
from transformers import AutoModelForTokenClassification, PreTrainedTokenizerBase

from rewardsmith.core.errors import ModelError, SettingsError
from rewardsmith.models import head
from rewardsmith.models.builtin import resolve
from rewardsmith.models.checkpoint import weights_digest
from rewardsmith.models.load import (
    base_config,
    config_of,
    load_network,
    local_folder,
    missing_weights,
    new_modules_of,
)
from rewardsmith.models.settings import ModelSettings
from rewardsmith.models.steps.model import N_LABELS, StepModel
from rewardsmith.models.trainable import add_adapters, freeze_unreached, with_trainable
from rewardsmith.text.load import load_tokenizer

LABEL_NAMES = {0: "wrong", 1: "right"}
_START = 0.1


@dataclass(frozen=True, slots=True)
class LoadedStepModel:
    """A checkpoint in memory.

    Attributes:
        model: In evaluation mode, on the CPU, float32.
        tokenizer: With the chat template that the checkpoint was saved with.
        digest: Digest of the weight files.
    """

    model: StepModel
    tokenizer: PreTrainedTokenizerBase
    digest: str


def build_step_model(settings: ModelSettings, *, seed: int) -> StepModel:
    """The base of `settings` with a new head for steps, ready for training, float32.

    Everything that the base has no weights for is drawn from `seed`, and the global random state is left alone.

    Raises:
        ModelError: The base cannot be loaded, lacks weights, or has no token classifier in transformers.
        SettingsError: The settings do not suit the base, or ask for another head than a linear one at the places.
    """
    _require_plain_head(settings)
    path = resolve(settings.base)
    tokenizer = load_tokenizer(path)
    with torch.inference_mode(False), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = base_config(path, settings, pad_id=tokenizer.pad_token_id)
        config.num_labels, config.problem_type = N_LABELS, None
        config.id2label, config.label2id = LABEL_NAMES, {name: label for label, name in LABEL_NAMES.items()}
        network, missing = load_network(path, config, kind=AutoModelForTokenClassification)
        # `models.trainable` is typed for reward models; a step model has all that it asks of one.
        model: Any = StepModel(network.eval(), new_modules=new_modules_of(network, missing, path))
        _initialise(model.output_layer, seed=seed)
        if settings.trainable != "lora":
            prepared: Any = with_trainable(model, settings)
            return prepared
        adapted: Any = StepModel(
            add_adapters(model, settings, task=TaskType.TOKEN_CLS).eval(), new_modules=model.new_modules
        )
        freeze_unreached(adapted)
        return adapted


def load_step_checkpoint(path: str | Path) -> LoadedStepModel:
    """A trained step model: rewardsmith's own folders, or any tool's `*ForTokenClassification` with two labels.

    Raises:
        ModelError: The folder is no step model, has another number of labels, or lacks weights (its head above all).
    """
    folder = local_folder(str(path))
    config = _checked_config(str(path))
    network, missing = load_network(str(path), config, kind=AutoModelForTokenClassification)
    if missing:
        raise missing_weights(missing, str(path))
    tokenizer = load_tokenizer(str(path), keep_template=True)
    return LoadedStepModel(StepModel(network.eval()).eval(), tokenizer, weights_digest(folder))


def _initialise(layer: nn.Linear, *, seed: int) -> None:
    """A tenth of a reward head's start: every step begins near p = ½, whatever the scale of the states."""
    head.initialise(layer, seed=seed)
    with torch.no_grad():
        layer.weight.mul_(_START)


def _checked_config(path: str) -> Any:
    config = config_of(path)
    architectures = list(config.architectures or ())
    if not any(name.endswith("ForTokenClassification") for name in architectures) or config.num_labels != N_LABELS:
        raise ModelError(
            "not a step model",
            wanted=f"architectures: […ForTokenClassification] with num_labels {N_LABELS}",
            got=f"{architectures} with num_labels {config.num_labels}",
            where=path,
            fix="to train a new head on it, name it as model.base",
        )
    return config


def _require_plain_head(settings: ModelSettings) -> None:
    """The places say which states are read, and a token classifier has a linear head."""
    for name, wanted in (("pooling", "auto"), ("head", "linear")):
        if getattr(settings, name) != wanted:
            raise SettingsError(
                f"a step model takes no other {name}",
                wanted=wanted,
                got=getattr(settings, name),
                where=f"model.{name}",
                fix="leave it out",
            )
