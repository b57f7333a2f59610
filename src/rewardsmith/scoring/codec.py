"""How a remembered value lies on disk: one float32, or a fixed number of them, little-endian."""

from __future__ import annotations

import math
import struct
from typing import Protocol, TypeVar

import numpy as np
from jaxtyping import Float32

V = TypeVar("V")

_FLOAT = struct.Struct("<f")


class Codec(Protocol[V]):
    """Values of one kind.

    Attributes:
        size: Bytes of a value.
    """

    size: int

    def pack(self, value: V, /) -> bytes:
        """The value as bytes."""
        ...

    def unpack(self, raw: bytes, /) -> V:
        """The value of `size` bytes."""
        ...

    def is_finite(self, value: V, /) -> bool:
        """Whether it is a number, all of it."""
        ...


class Scalar:
    """One number: a reward."""

    size = _FLOAT.size

    def pack(self, value: float, /) -> bytes:
        """Four bytes."""
        return _FLOAT.pack(value)

    def unpack(self, raw: bytes, /) -> float:
        """The number in four bytes."""
        return _FLOAT.unpack(raw)[0]

    def is_finite(self, value: float, /) -> bool:
        """Neither NaN nor an infinity."""
        return math.isfinite(value)


class Vector:
    """So many numbers: the rewards of an ensemble's members.

    Args:
        width: How many.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.size = _FLOAT.size * width

    def pack(self, value: Float32[np.ndarray, " width"], /) -> bytes:
        """Four bytes a number.

        Raises:
            ValueError: They are more or fewer than `width`.
        """
        if value.shape != (self.width,):
            raise ValueError(f"wanted {self.width} numbers, got shape {value.shape}")
        return value.astype("<f4").tobytes()

    def unpack(self, raw: bytes, /) -> Float32[np.ndarray, " width"]:
        """The numbers, which cannot be written to."""
        return np.frombuffer(raw, "<f4")

    def is_finite(self, value: Float32[np.ndarray, " width"], /) -> bool:
        """No NaN and no infinity among them."""
        return bool(np.isfinite(value).all())
