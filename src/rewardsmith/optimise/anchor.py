"""The price of a nat: β of the KL penalty, fixed or moved by what the run shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from pydantic import Field

from rewardsmith.core.errors import SettingsError
from rewardsmith.core.settings import Settings
from rewardsmith.optimise.watch import WatchSettings, signs


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


class AnchorSettings(Settings):
    """How the policy is held near its reference."""

    kind: Literal["fixed", "adaptive"] = "fixed"
    """`adaptive` raises β when a watched sign moves."""

    beta: float = Field(default=0.04, ge=0)
    """Rewards a nat, at the start. In DPO it is the β of its loss. 0 does not hold the policy at all."""

    factor: float = Field(default=1.5, gt=1)
    """Adaptive: β is multiplied by this when a sign has moved."""

    fall: float = Field(default=0.98, gt=0, le=1)
    """Adaptive: β is multiplied by this after each quiet line, down to where it began."""

    patience: int = Field(default=3, ge=1)
    """Adaptive: lines between two rises, so that the policy has time to answer."""

    most: float = Field(default=1.0, gt=0)
    """Adaptive: β goes no higher."""


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


class AdaptiveAnchor:
    """β that rises by a factor when a watched sign has moved beyond its noise, and slowly falls back when none has.

    Args:
        settings: How far and how fast.
        watch: Which signs.

    Raises:
        SettingsError: β begins at 0, from where no factor leads, or above its highest value.
    """

    def __init__(self, settings: AnchorSettings, watch: WatchSettings | None = None) -> None:
        if not 0 < settings.beta <= settings.most:
            raise SettingsError(
                "an adaptive β that cannot move", wanted=f"above 0, at most {settings.most:g}", got=settings.beta,
                where="anchor.beta",
            )  # fmt: skip
        self._settings = settings
        self._watch = watch or WatchSettings()
        self._lines: list[Mapping[str, float]] = []
        self._beta = settings.beta
        self._quiet = settings.patience

    @property
    def beta(self) -> float:
        """Rewards a nat."""
        return self._beta

    def observe(self, line: Mapping[str, float]) -> None:
        """Look at the signs anew."""
        self._lines.append(dict(line))
        self._quiet += 1
        settings = self._settings
        if any(sign.is_moved for sign in signs(self._lines, self._watch)):
            if self._quiet >= settings.patience:
                self._beta = min(self._beta * settings.factor, settings.most)
                self._quiet = 0
            return
        self._beta = max(self._beta * settings.fall, settings.beta)


def make_anchor(settings: AnchorSettings, watch: WatchSettings) -> Anchor:
    """The anchor that the settings say."""
    return FixedAnchor(settings.beta) if settings.kind == "fixed" else AdaptiveAnchor(settings, watch)
