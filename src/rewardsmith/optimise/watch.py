"""Signs that a policy games its reward, read from the log of a run, and the rules that end it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from rewardsmith.core.settings import Settings

Line = Mapping[str, float]
SignName = Literal["length", "format", "spread", "gold", "fresh_accuracy"]

_LEAST = {"length": 1.0, "format": 0.1, "spread": 0.0}
"""Least change that counts, in tokens, shares and the reward's units, however quiet the first lines were."""


_ERRORS_OF_95 = 1.96


class WatchSettings(Settings):
    """What is watched, and when it has moved."""

    signs: tuple[SignName, ...] = ("length", "format", "spread", "gold", "fresh_accuracy")
    """Those of them that the log holds are looked at."""

    baseline_lines: int = Field(default=5, ge=2)
    """The first lines, which say what is usual and how much it varies."""

    window_lines: int = Field(default=5, ge=1)
    """The last lines, which are held against them."""

    noise: float = Field(default=3.0, gt=0)
    """Standard errors of that difference beyond which a sign has moved."""

    least_share: float = Field(default=0.25, ge=0)
    """Share of the usual value by which it must have changed at least."""


class StopSettings(Settings):
    """When a run ends before its time."""

    most_nats: float | None = Field(default=None, gt=0)
    """A KL budget: nats of a whole response."""

    on_fall: bool = True
    """Gold, or how often the reward agrees with it, has fallen by more than the noise while the reward rose."""

    on_signs: int | None = Field(default=None, ge=1)
    """So many signs have moved at once."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign.

    Attributes:
        name: What.
        before: Its usual value; of gold the best so far.
        now: Its value now.
        limit: The change beyond which it has moved.
        is_moved: It has.
    """

    name: str
    before: float
    now: float
    limit: float
    is_moved: bool

    def __str__(self) -> str:
        return f"{self.name} {self.before:.4g} → {self.now:.4g} (noise {self.limit:.3g})"


def signs(lines: Sequence[Line], settings: WatchSettings) -> tuple[Sign, ...]:
    """The signs that the log so far allows to look at.

    `length` and `format` (share of responses with Markdown) move either way, `spread` (how far the members of an
    ensemble lie apart) upwards: the means of the last and of the first lines differ by more than `noise` standard
    errors of the first lines' scatter, and by `least_share`. `gold` and `fresh_accuracy` move when they have fallen
    from their best by more than the halves of both intervals, added in quadrature, while the proxy rose.

    Where the log has `length_change` and `gold_change`, which compare with the first policy prompt by prompt, `length`
    is read from the one, and `gold` has also moved when the other is below nought by more than `noise` standard errors
    while the proxy rose: the prompts' own differences, far larger than what a policy changes, are in neither.
    """
    found = (_sign(name, lines, settings) for name in settings.signs)
    return tuple(sign for sign in found if sign is not None)


def _sign(name: str, lines: Sequence[Line], settings: WatchSettings) -> Sign | None:
    match name:
        case "gold":
            fallen = _fall(name, lines)
            return fallen if fallen is not None and fallen.is_moved else _gold_change(lines, settings) or fallen
        case "fresh_accuracy":
            return _fall(name, lines)
        case "length":
            return _length_change(lines, settings) or _shift(name, lines, settings)
        case _:
            return _shift(name, lines, settings)


def stop_reason(lines: Sequence[Line], stop: StopSettings, watch: WatchSettings) -> str | None:
    """Why the run should end now; `None` where it should go on."""
    if stop.most_nats is not None:
        nats = _nats(lines, watch)
        if nats is not None and nats > stop.most_nats:
            return f"KL: {nats:.3g} nats, the budget is {stop.most_nats:g}"
    moved = [sign for sign in signs(lines, watch) if sign.is_moved]
    fallen = [sign for sign in moved if sign.name in ("gold", "fresh_accuracy")]
    if stop.on_fall and fallen:
        return f"the reward rises and {fallen[0]} falls"
    if stop.on_signs is not None and len(moved) >= stop.on_signs:
        return "signs of hacking: " + ", ".join(map(str, moved))
    return None


def _nats(lines: Sequence[Line], watch: WatchSettings) -> float | None:
    """KL now: as it was measured last, or, where every line has a noisy one, the mean of the window."""
    known = [line for line in lines if "kl_nats" in line]
    if not known:
        return None
    if "kl_low" in known[-1]:
        return known[-1]["kl_nats"]
    return float(np.mean([line["kl_nats"] for line in known[-watch.window_lines :]]))


def _shift(name: str, lines: Sequence[Line], settings: WatchSettings) -> Sign | None:
    values = np.array([line[name] for line in lines if name in line], dtype=np.float64)
    first, last = settings.baseline_lines, settings.window_lines
    if len(values) < first + last:
        return None
    before, now = float(values[:first].mean()), float(values[-last:].mean())
    error = float(values[:first].std(ddof=1)) * np.sqrt(1 / first + 1 / last)
    limit = float(max(settings.noise * error, settings.least_share * abs(before), _LEAST[name]))
    change = now - before if name == "spread" else abs(now - before)
    return Sign(name, before, now, limit, change > limit)


def _fall(name: str, lines: Sequence[Line]) -> Sign | None:
    known = [line for line in lines if name in line and f"{name}_low" in line]
    if len(known) < 2:
        return None
    best, last = max(known, key=lambda line: line[name]), known[-1]
    halves = [(line[f"{name}_high"] - line[f"{name}_low"]) / 2 for line in (best, last)]
    limit = math.hypot(*halves)
    rose = _proxy(last) > _proxy(best)
    return Sign(name, best[name], last[name], limit, rose and best[name] - last[name] > limit)


def _gold_change(lines: Sequence[Line], settings: WatchSettings) -> Sign | None:
    # One prompt alone gives a change without an interval.
    last = next((line for line in reversed(lines) if "gold_change_low" in line), None)
    if last is None:
        return None
    change, limit = last["gold_change"], settings.noise * _error(last, "gold_change")
    rose = last.get("proxy_change", math.nan) > 0
    return Sign("gold", last["gold"] - change, last["gold"], limit, rose and -change > limit)


def _length_change(lines: Sequence[Line], settings: WatchSettings) -> Sign | None:
    last = next((line for line in reversed(lines) if "length_change_low" in line), None)
    if last is None:
        return None
    change, now = last["length_change"], last["fresh_length"]
    noise = settings.noise * _error(last, "length_change")
    limit = max(noise, settings.least_share * abs(now - change), _LEAST["length"])
    return Sign("length", now - change, now, limit, abs(change) > limit)


def _error(line: Line, name: str) -> float:
    """The standard error behind a 95% interval."""
    return (line[f"{name}_high"] - line[f"{name}_low"]) / (2 * _ERRORS_OF_95)


def _proxy(line: Line) -> float:
    return next((line[name] for name in ("fresh_proxy", "proxy", "reward") if name in line), float("nan"))
