"""The number format that losses are computed in."""

from __future__ import annotations

import torch
from torch import Tensor


def precise(value: Tensor | float) -> Tensor:
    """`value` as float32, or float64 where it was that.

    In bf16 two rewards that differ may be equal, and in fp16 a loss may overflow, so half-precision tensors are
    raised first. A plain number becomes a scalar tensor, which takes part on any device.
    """
    if not isinstance(value, Tensor):
        return torch.tensor(value, dtype=torch.float32)
    return value if value.dtype == torch.float64 else value.float()
