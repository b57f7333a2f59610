"""Which weights gave a score, for models that do not come from a file, and all that decides a reward."""

from __future__ import annotations

import hashlib
from itertools import chain
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from rewardsmith.core.digest import digest_json
from rewardsmith.models.adapter_ensemble import AdapterEnsemble
from rewardsmith.models.reward_model import RewardModel

_SAMPLES = 8


def state_digest(model: nn.Module) -> str:
    """Digest of a model's weights in memory: names, types, shapes and bytes. What has two names is read once."""
    parts: dict[str, list[str]] = {}
    known: dict[tuple[Any, ...], str] = {}
    for name, tensor in model.state_dict().items():
        place = (tensor.device, tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        if place not in known:
            # Viewed as bytes, since numpy has no bfloat16.
            flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            known[place] = hashlib.sha256(flat.numpy()).hexdigest()
        parts[name] = [str(tensor.dtype), str(tuple(tensor.shape)), known[place]]
    return digest_json(parts)


def reward_identity(model: RewardModel | AdapterEnsemble, *, weights: str, template: str, uses_bf16: bool) -> str:
    """Digest of everything but the tokens that decides a reward.

    Beside the weights that is what the configuration says (the same weights with another RoPE are another model),
    pooling and head, and how it is computed: precision, device, versions.

    Args:
        weights: Digest of the weights.
        template: Digest of the chat template.
    """
    parts: dict[str, Any] = {
        "weights": weights,
        "template": template,
        "config": _meaning(model.config.to_dict()),
        "pooling": model.pooling,
        "has_mlp": model.mlp is not None,
        "precision": "bf16" if uses_bf16 else f"float32 ({torch.get_float32_matmul_precision()})",
        "device": model.device.type,
        "versions": [str(torch.__version__), transformers.__version__],
    }
    return digest_json(parts)


def weights_mark(model: nn.Module) -> int:
    """A number that changes when the weights are changed in place, or replaced: quick, and good in this process only.

    PyTorch counts changes in place, but not those by way of `.data`; a few values of each tensor show those.
    """
    tensors = list(chain(model.parameters(), model.buffers()))
    counts = tuple((each.data_ptr(), 0 if each.is_inference() else each._version) for each in tensors)
    samples = [_sample(each) for each in tensors if each.numel()]
    return hash((counts, torch.cat(samples).cpu().numpy().tobytes() if samples else b""))


def _sample(tensor: Tensor) -> Tensor:
    tensor = tensor.detach()
    flat = tensor.view(-1) if tensor.is_contiguous() else tensor.reshape(-1)
    return flat[:: max(1, len(flat) // _SAMPLES)].double()


def _meaning(config: Any) -> Any:
    """A configuration as JSON, without what says only where it came from or how it is run."""
    if isinstance(config, dict):
        left_out = ("transformers_version", "use_cache")
        named = {str(key): value for key, value in config.items()}
        return {key: _meaning(value) for key, value in named.items() if key not in left_out and key[:1] != "_"}
    if isinstance(config, list | tuple):
        return [_meaning(value) for value in config]
    return config if isinstance(config, str | int | float | bool | None) else str(config)
