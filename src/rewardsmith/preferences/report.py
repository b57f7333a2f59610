"""What `check` says about sources: counts by reason, and the first example of each."""

from __future__ import annotations

from pydantic import Field

from rewardsmith.core.settings import Settings
from rewardsmith.preferences.outcome import Destination, Reason, destination


class Example(Settings):
    """The first row that got a reason."""

    reason: Reason
    """Why the row is not used."""
    where: str
    """`file:line`."""
    detail: str
    """What about the row gave the reason."""


class CheckReport(Settings):
    """Counts of a reading without tokens and without a split."""

    rows: int
    """Raw rows; several can make one preference."""
    read: int
    """Preferences and rejections: read = kept + the sum of all reasons."""
    kept: int
    """Preferences left."""
    groups: int
    """Prompt groups among those."""
    reasons: dict[Reason, int]
    """Rows by reason."""
    sources: dict[str, dict[str, int]]
    """For each source: `read`, `kept`, and its rows by reason."""
    examples: tuple[Example, ...] = Field(default_factory=tuple)
    """The first row of each reason, in reading order."""

    def destined(self, where: Destination) -> int:
        """Rows that would be written to that file."""
        return sum(count for reason, count in self.reasons.items() if destination(reason) == where)
