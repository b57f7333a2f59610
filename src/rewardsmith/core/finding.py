"""Estimates and findings: what an audit says, in a form that a gate can obey."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["info", "warning", "critical"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval (95%, unless the text beside it says otherwise).

    Attributes:
        value: Point estimate; NaN where there was nothing to estimate from.
        low: Lower end of the interval.
        high: Upper end.
        n: Number of items behind the value.
        groups: Number of prompt groups that were resampled.
    """

    value: float
    low: float
    high: float
    n: int
    groups: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] (n={self.n})"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that an audit looked at.

    Attributes:
        name: Stable; parts in small letters and digits, `_` inside a part and `.` between two: `gap.train_heldout`.
            The last part may be a name of the user's own, verbatim: `source.accuracy.<source>`.
        estimate: The measured value.
        severity: `info` where nothing is wrong.
        summary: One sentence for a person.
        limit: The value beyond which the severity rises, where there is one.
        examples: Texts to read.
        p_value: Of the test behind it, before the correction for the number of tests; absent where none was made.
        unit: What the value counts: `share`, `within-prompt SD`, `nats`, …; empty for a pure number.
    """

    name: str
    estimate: Estimate
    severity: Severity
    summary: str
    limit: float | None = None
    examples: tuple[str, ...] = field(default_factory=tuple)
    p_value: float | None = None
    unit: str = ""


def finding_name(family: str, *parts: str) -> str:
    """The name of a finding about things that have names for people: `accuracy.over`, `longer wins` →
    `accuracy.over.longer_wins`.
    """
    return ".".join([family, *(re.sub(r"[^a-z0-9]+", "_", part.lower()).strip("_") for part in parts)])
