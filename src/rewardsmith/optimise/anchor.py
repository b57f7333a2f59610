"""The price of a nat: β of the KL penalty, fixed or moved by what the run shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Anchor(Protocol):
    """Says what a nat of KL costs now.

    It depends on nothing but what it has observed, so that a run that is resumed shows it the same lines again.
    """

    @property
    def beta(self) -> float:
        """Rewards a nat."""
        ...

    def observe(self, line: Mapping[str, float]) -> None:
        """One line of the run's log: `kl_nats`, `reward`, `length`, …"""
        ...


class FixedAnchor:
    """The same β throughout.

    Args:
        beta: Rewards a nat; 0 does not hold the policy at all.
    """

    def __init__(self, beta: float) -> None:
        self._beta = beta

    @property
    def beta(self) -> float:
        """Rewards a nat."""
        return self._beta

    def observe(self, line: Mapping[str, float]) -> None:
        """Changes nothing."""
