"""What stands in the place of a figure that could not be computed: the reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Absent:
    """A part of an evaluation that is not there. Nothing is ever filled in for it."""

    reason: str
