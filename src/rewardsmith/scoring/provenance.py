"""Which weights gave a score, for models that do not come from a file."""

from __future__ import annotations

import hashlib

import torch
from torch import nn

from rewardsmith.core.digest import digest_json


def state_digest(model: nn.Module) -> str:
    """Digest of a model's weights in memory: names, types, shapes and bytes."""
    parts: dict[str, list[str]] = {}
    for name, tensor in model.state_dict().items():
        # Viewed as bytes, since numpy has no bfloat16.
        flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        parts[name] = [str(tensor.dtype), str(tuple(tensor.shape)), hashlib.sha256(flat.numpy()).hexdigest()]
    return digest_json(parts)
