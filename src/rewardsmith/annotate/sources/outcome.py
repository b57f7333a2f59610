"""What became of a source: tasks, and what was left out, by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rewardsmith.annotate.tasks import Task

NOTHING_TO_COMPARE = "nothing-to-compare"
"""A project compares, and the prompt has one response."""

REPEATED = "repeated"
"""An earlier task asks the same."""

NO_LABEL = "no-label"
"""Gold tasks were asked for, and the row does not say a clear answer that fits the project."""

NO_TURNS = "no-turns"
"""Traffic that came as one text: nobody knows where the prompt ends."""

OVER_LIMIT = "over-limit"
"""Not drawn, where a limit was asked for."""


@dataclass(frozen=True, slots=True)
class Left:
    """Why something became no task.

    Attributes:
        reason: A constant of this module or a value of `preferences.outcome.Reason`.
        where: `file:line`.
        detail: What was wrong with it.
    """

    reason: str
    where: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What a source holds.

    Attributes:
        tasks: In the order of the source.
        kind: How the source was read: `samples`, `traffic` or the name of a layout.
        left: Reason → how often.
        first: Reason → the first one.
    """

    tasks: tuple[Task, ...]
    kind: str
    left: Mapping[str, int] = field(default_factory=dict)
    first: Mapping[str, Left] = field(default_factory=dict)


class LeftCounter:
    """Counts by reason, and keeps the first of each."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first: dict[str, Left] = {}

    def add(self, left: Left, count: int = 1) -> None:
        """One more of this reason."""
        self.counts[left.reason] += count
        self.first.setdefault(left.reason, left)
