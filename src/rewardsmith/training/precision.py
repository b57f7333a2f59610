"""Which arithmetic pays on this machine. Nothing depends on it: every processor can train in float32."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["float32", "bf16"]

_AMX_NAMES = ("_is_amx_tile_supported", "is_amx_tile_supported")
_AVX512_BF16_NAMES = ("_is_avx512_bf16_supported", "is_avx512_bf16_supported")


def resolve_precision(wanted: Literal["auto", "float32", "bf16"]) -> Precision:
    """`wanted`, or for `auto` the arithmetic that this machine is faster in."""
    if wanted != "auto":
        return wanted
    return "bf16" if bf16_pays() else "float32"


def bf16_pays() -> bool:
    """Whether this machine multiplies bfloat16 in hardware: CUDA from Ampere on; on CPUs AMX tiles or AVX512-BF16.

    Elsewhere bf16 is emulated: correct, and slower than float32.
    """
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return _cpu_has(_AMX_NAMES) or _cpu_has(_AVX512_BF16_NAMES)


def _cpu_has(names: tuple[str, ...]) -> bool:
    """Ask torch by whichever of `names` this release has; an absent one counts as no."""
    for name in names:
        probe = getattr(torch.cpu, name, None)
        if probe is not None:
            return bool(probe())
    return False
