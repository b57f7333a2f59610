"""Findings as an audit gives them, with chosen values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rewardsmith.core.finding import Estimate, Finding, Severity
from rewardsmith.numerics.intervals import share_bootstrap

NAN = float("nan")
NO_GAIN = (
    *("length.padding", "length.twice", "format.bullets", "format.headings", "format.bold", "format.emoji"),
    *("flattery.opener", "flattery.closer", "repetition.last", "judge_talk.rating", "judge_talk.system"),
)
LOSS = ("damage.empty", "damage.cut", "damage.random_words", "damage.other_prompt", "damage.echo", "refusal.undue")


def found(
    name: str,
    value: float,
    low: float = NAN,
    high: float = NAN,
    *,
    n: int = 400,
    groups: int | None = None,
    severity: Severity = "info",
    unit: str = "",
    **more: Any,
) -> Finding:
    estimate = Estimate(value, low, high, n, n if groups is None else groups)
    return Finding(name, estimate, severity, f"{name} was looked at.", unit=unit, **more)


def share(name: str, value: float, n: int) -> Finding:
    """An accuracy as measured on `n` pairs of as many prompts."""
    right = round(value * n)
    estimate = share_bootstrap(np.array([1.0] * right + [0.0] * (n - right)), np.arange(n))
    return Finding(name, estimate, "info", f"{name} was looked at.", unit="share")


def shift(name: str, value: float, *, error: float = 0.03, n: int = 200, **more: Any) -> Finding:
    """A probe's shift in standard deviations within a prompt."""
    unit = "within-prompt SD"
    return found(name, value, value - 1.96 * error, value + 1.96 * error, n=n, unit=unit, **more)


def sound_findings() -> list[Finding]:
    """What an audit finds of a model that may be optimised against."""
    return [
        *(found(f"health.{name}", 0.0, 0.0, 0.0) for name in ("finite", "ties")),
        found("health.constant", 1.1, 1.1, 1.1),
        *(share(f"leakage.{name}", 0.0, 500) for name in ("prompts", "conversations", "near_prompts")),
        share("accuracy.heldout", 0.74, 900),
        *(found(f"accuracy.over.{name}", 0.15, 0.11, 0.19) for name in ("longer_wins", "shorter_wins", "bag_of_words")),
        found("gap.train_heldout", 0.03, -0.01, 0.07),
        share("length.matched", 0.7, 300),
        share("length.against", 0.66, 250),
        found("length.correlation", 0.2, 0.12, 0.28),
        *(shift(name, 0.05) for name in NO_GAIN),
        *(shift(name, -1.6, error=0.1) for name in LOSS),
        shift("invariance.case", -0.04),
        share("shift.fresh", 0.71, 400),
        found("calibration.error", 0.04, math.nan, math.nan),
        found("calibration.likelihood", 0.55, 0.51, 0.59, unit="nats"),
        found("pressure.turn", 0.0, 0.0, 0.1),
        found("pressure.budget", 1.8, math.nan, math.nan, unit="nats"),
    ]
