"""Which weights are trained: all of them, the last blocks, the head, or low-rank adapters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from torch import nn

from rewardsmith.core.errors import ModelError, SettingsError
from rewardsmith.models import head
from rewardsmith.models.reward_model import RewardModel
from rewardsmith.models.settings import ModelSettings


def with_trainable(model: RewardModel, settings: ModelSettings) -> RewardModel:
    """`model`, ready for training as `settings` say; a model with adapters is a new `RewardModel` on the same weights.

    Weights that the reward does not depend on (a pooler that mean pooling skips) are never trained; a distributed run
    would wait for their gradients for ever.

    Raises:
        SettingsError: More blocks are asked for than there are, or an adapter's target is not in the model.
    """
    if settings.trainable == "lora":
        model = _with_adapters(model, settings)
    else:
        is_trained = _chosen(model, settings)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(is_trained(name))
    freeze_unreached(model)
    return model


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """Trained parameters, and all of them."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return sum(size for size, trained in sizes if trained), sum(size for size, _ in sizes)


def trains_head_only(model: RewardModel) -> bool:
    """Whether all trained weights lie above the backbone, or in a part of it that is new and belongs to the head."""
    if isinstance(model.network, PeftModel):
        return False
    is_head = _is_head(model)
    return all(is_head(name) for name, parameter in model.named_parameters() if parameter.requires_grad)


def blocks(model: RewardModel) -> nn.ModuleList:
    """The transformer blocks, in order.

    Raises:
        SettingsError: The layers share blocks, as ALBERT's do (Lan et al. 2020, arXiv:1909.11942).
        ModelError: They were not found.
    """
    n_layers = getattr(model.config.get_text_config(), "num_hidden_layers", None)
    if shares_blocks(model):
        raise SettingsError(
            "the model's layers share their weights, so none of them can be trained without the others",
            wanted="trainable: all, head or lora",
            got=f"{n_layers} layers with the same weights",
            where="model.trainable",
        )
    found = head.blocks(model.network)
    if found is None:
        raise ModelError(
            "cannot find the model's blocks", wanted=f"a list of {n_layers} modules", fix="use another mode"
        )
    return found


def shares_blocks(model: RewardModel) -> bool:
    """Whether several layers run through the same weights."""
    config = model.config.get_text_config()
    n_groups = getattr(config, "num_hidden_groups", None)
    return n_groups is not None and n_groups < config.num_hidden_layers


def _chosen(model: RewardModel, settings: ModelSettings):
    """A test on parameter names: is this one trained?"""
    if settings.trainable == "all":
        return lambda _: True
    if settings.trainable == "head":
        return _is_head(model)
    frozen = _frozen_names(model, settings.blocks)
    return lambda name: name not in frozen


def _is_head(model: RewardModel) -> Callable[[str], bool]:
    """A test on parameter names: is this one above the backbone, or a new part of it?"""
    prefix = f"network.{head.plain(model.network).base_model_prefix}."
    new = tuple(f"network.{name}." for name in model.new_modules)
    return lambda name: not name.startswith(prefix) or name.startswith(new)


def _frozen_names(model: RewardModel, n_trained: int) -> set[str]:
    """Parameters below the last `n_trained` blocks: the earlier blocks and the embeddings."""
    layers = blocks(model)
    if n_trained > len(layers):
        raise SettingsError(
            "more blocks than the model has", wanted=f"at most {len(layers)}", got=n_trained, where="model.blocks"
        )
    frozen: list[nn.Module] = list(layers[: len(layers) - n_trained])
    for name, child in head.backbone(model.network).named_children():
        if "embed" in name or name in ("wte", "wpe"):
            frozen.append(child)
    ids = {id(parameter) for module in frozen for parameter in module.parameters()}
    return {name for name, parameter in model.named_parameters() if id(parameter) in ids}


def _with_adapters(model: RewardModel, settings: ModelSettings) -> RewardModel:
    network = add_adapters(model, settings, task=TaskType.SEQ_CLS)
    return RewardModel(network, pooling_name=model.pooling, mlp=model.mlp, new_modules=model.new_modules)


def add_adapters(model: RewardModel, settings: ModelSettings, *, task: TaskType) -> nn.Module:
    """The network with LoRA (Hu et al. 2021, arXiv:2106.09685) on the base; the head, and whatever else is new, is
    trained in full.

    Raises:
        SettingsError: An adapter's target is not in the model.
    """
    kept_whole = [name for name, _ in head.plain(model.network).named_children() if name in ("score", "classifier")]
    kept_whole += [name for name in model.new_modules if name.split(".")[0] not in kept_whole]
    config = LoraConfig(
        task_type=task,
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,  # type: ignore[arg-type]
        lora_dropout=settings.lora_dropout,
        modules_to_save=kept_whole,
        **_lora_places(model, settings),
    )
    try:
        return get_peft_model(head.plain(model.network), config)
    except ValueError as error:
        raise SettingsError("cannot add adapters", got=error, where="model.lora_targets") from error


def _lora_places(model: RewardModel, settings: ModelSettings) -> dict[str, Any]:
    """Which layers get adapters, as `LoraConfig` wants to be told: their names, and the blocks where not all."""
    targets = settings.lora_targets
    if settings.lora_blocks is None:
        return {"target_modules": targets if isinstance(targets, str) else list(targets)}
    if shares_blocks(model):
        raise SettingsError(
            "the model's layers share their weights, so the last of them cannot have adapters of their own",
            wanted="no lora_blocks",
            got=settings.lora_blocks,
            where="model.lora_blocks",
        )
    layers = blocks(model)
    wanted = max(1, len(layers) // 4) if settings.lora_blocks == "last_quarter" else settings.lora_blocks
    if wanted > len(layers):
        raise SettingsError(
            "more blocks than the model has", wanted=f"at most {len(layers)}", got=wanted, where="model.lora_blocks"
        )
    # PEFT's own word for all linear layers does not go with a choice of blocks.
    linear = [name for name, module in layers[-1].named_modules() if isinstance(module, nn.Linear)]
    name = next(name for name, module in head.plain(model.network).named_modules() if module is layers)
    return {
        "target_modules": linear if targets == "all-linear" else list(targets),
        "layers_to_transform": list(range(len(layers) - wanted, len(layers))),
        "layers_pattern": name.rpartition(".")[2],
    }


def freeze_unreached(model: RewardModel) -> None:
    """Stop training weights that a probe's reward has no gradient for."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    ids = torch.ones((1, 2), dtype=torch.long, device=model.device)
    with torch.enable_grad():
        reward = model(ids, torch.ones_like(ids)).sum()
    gradients = torch.autograd.grad(reward, trained, allow_unused=True)
    for parameter, gradient in zip(trained, gradients, strict=True):
        if gradient is None:
            parameter.requires_grad_(False)
