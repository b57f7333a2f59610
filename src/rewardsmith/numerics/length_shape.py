"""What a length is worth: the shapes that a length prior can have."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float, Float64

from rewardsmith.core.errors import SettingsError

LengthShape = Literal["linear", "log", "saturating", "distance"]


def shaped_length(
    lengths: Float[np.ndarray, " text"], *, shape: LengthShape, scale: float, target: float = 0.0
) -> Float64[np.ndarray, " text"]:
    """One value a length n, with s the scale and t the target, both in the unit of the lengths:

    - `linear`: n / s.
    - `log`: log(1 + n/s), in which each doubling beyond s is worth about as much.
    - `saturating`: 1 − exp(−n/s), which is 0.63 at s and never more than 1.
    - `distance`: −|n − t| / s, 0 at the target and below it everywhere else.

    The first three rise with the length, so with a negative weight they are penalties.

    Raises:
        SettingsError: The shape is unknown, or the scale is not above 0.
    """
    if not scale > 0:
        raise SettingsError("the scale of a length is not above 0", wanted="a number above 0", got=scale)
    n = np.asarray(lengths, dtype=np.float64) / scale
    match shape:
        case "linear":
            return n
        case "log":
            return np.log1p(n)
        case "saturating":
            return -np.expm1(-n)
        case "distance":
            return -np.abs(n - target / scale)
        case other:
            raise SettingsError("unknown shape", wanted="linear, log, saturating or distance", got=other)
