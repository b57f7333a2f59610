"""Files of a family's folder beside the model: linear heads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float32
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from rewardsmith.core.errors import ModelError


def save_heads(
    path: Path, weight: Float32[np.ndarray, "attribute hidden"], bias: Float32[np.ndarray, " attribute"]
) -> None:
    """Write linear heads over one model's features as safetensors."""
    save_file({"weight": np.ascontiguousarray(weight), "bias": np.ascontiguousarray(bias)}, path)


def load_heads(path: Path) -> tuple[Float32[np.ndarray, "attribute hidden"], Float32[np.ndarray, " attribute"]]:
    """Weight and bias of the heads in a file.

    Raises:
        ModelError: The file is missing or holds something else.
    """
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError("the heads are missing", got=error, where=str(path), fix="train again") from error
    weight, bias = tensors.get("weight"), tensors.get("bias")
    if weight is None or bias is None or weight.ndim != 2 or bias.ndim != 1:
        raise ModelError("the heads' file holds something else", got=sorted(tensors), where=str(path))
    return weight.astype(np.float32), bias.astype(np.float32)
