"""How a layout is read: row by row, or by gathering the rows of a prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rewardsmith.core.preference import Preference
from rewardsmith.preferences.detect import Shape
from rewardsmith.preferences.layouts.rows import Origin, Refusal
from rewardsmith.preferences.outcome import RawRow, ReadRow, Rejection

RowReader = Callable[[RawRow, Origin], Preference]
"""Reads one row, or raises `Refusal`."""


class Reader(Protocol):
    """Takes the rows of one source in order."""

    def add(self, row: RawRow) -> Preference | Rejection | None:
        """What became of this row; `None` where that shows only when all rows are there."""
        ...

    def finish(self) -> Iterable[ReadRow]:
        """What became of the rows that were held back."""
        ...


@dataclass(frozen=True, slots=True)
class Layout:
    """A way to write preferences down.

    Attributes:
        shape: Its columns.
        start: Makes a reader for one source, given the source's first rows.
    """

    shape: Shape
    start: Callable[[Origin, Sequence[Mapping[str, Any]]], Reader]


class ByRow:
    """The reader of a layout in which each row stands for itself."""

    def __init__(self, read_row: RowReader, origin: Origin) -> None:
        self._read_row = read_row
        self._origin = origin

    def add(self, row: RawRow) -> Preference | Rejection:
        """Read the row."""
        try:
            return self._read_row(row, self._origin)
        except Refusal as refusal:
            return refusal.rejection

    def finish(self) -> Iterable[ReadRow]:
        """Nothing was held back."""
        return ()


def by_row(shape: Shape, read_row: RowReader) -> Layout:
    """A layout in which each row stands for itself."""
    return Layout(shape, lambda origin, _: ByRow(read_row, origin))
