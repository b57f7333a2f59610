"""The picture of over-optimisation: what is gained, by the reward's own count and in truth, against the KL it takes."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from rewardsmith.figures.plots import Curve
from rewardsmith.figures.style import INK, PALETTE, drawing, new_axes, to_svg

_TICKS = (0.0, 0.1, 0.5, 1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200, 300, 500, 800, 1200)
_MARKERS = "osD^v"


def overoptimisation_plot(
    measured: Mapping[str, Curve],
    *,
    fitted: Curve | None = None,
    budget_nats: float | None = None,
    peak_nats: float | None = None,
    title: str,
    x_label: str = "KL (nats)",
    y_label: str = "gain",
) -> str:
    """Measured points with their intervals, the fitted curve of gold in its band, and where to stop.

    The axis is even in √KL, along which the fitted forms are simple, and is labelled in nats.

    Args:
        measured: Name to points; gold first, which has the colour of the fitted curve. x in nats.
        fitted: The curve; x in nats.
        budget_nats: Marked where it is known.
        peak_nats: Marked where it lies within what is drawn.
        title: Of the picture.
        x_label: What is spent.
        y_label: What is gained.
    """
    with drawing():
        figure, axes = new_axes(title, x_label, y_label, height=4.2)
        ends = [float(np.max(one.x)) for one in measured.values() if len(one.x)]
        if not ends:
            axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", va="center")
            return to_svg(figure, f"{title}: no data")
        axes.axhline(0, color=INK, linewidth=1.0, linestyle=(0, (4, 3)))
        if fitted is not None:
            root = np.sqrt(np.asarray(fitted.x, dtype=np.float64))
            axes.plot(root, fitted.y, color=PALETTE[0], label="gold, fitted")
            if fitted.low is not None and fitted.high is not None:
                axes.fill_between(root, fitted.low, fitted.high, color=PALETTE[0], alpha=0.18, linewidth=0)
        _points(axes, measured, is_fitted=fitted is not None)
        said = _mark(axes, {"budget": budget_nats, "peak of the curve": peak_nats}, most=max(ends))
        _root_axis(axes, most=math.sqrt(max(ends)))
        figure.legend(loc="outside lower center", ncols=4)
        last = ", ".join(f"{name} {one.y[-1]:.3g}" for name, one in measured.items() if len(one.y))
        return to_svg(figure, f"Over-optimisation. {title}. Last {y_label}: {last}. {said}")


def _points(axes: Axes, measured: Mapping[str, Curve], *, is_fitted: bool) -> None:
    """Points with the ends of their intervals; joined where no curve does so."""
    for place, (name, one) in enumerate(measured.items()):
        axes.errorbar(
            np.sqrt(np.asarray(one.x, dtype=np.float64)),
            one.y,
            yerr=None if one.low is None or one.high is None else _reach(one),
            color=PALETTE[place % len(PALETTE)],
            marker=_MARKERS[place % len(_MARKERS)],
            markersize=5,
            linestyle="none" if place == 0 and is_fitted else (0, (5, 2)),
            elinewidth=1.2,
            label=name,
        )


def _root_axis(axes: Axes, *, most: float) -> None:
    """Labels in nats on an axis of their roots; one that stands too near to the one before could not be read."""
    ticks = [0.0]
    for root in map(math.sqrt, _TICKS[1:]):
        if root <= 1.02 * most and root - ticks[-1] >= most / 14:
            ticks.append(root)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda root, _: f"{root**2:.3g}"))


def _reach(curve: Curve) -> np.ndarray:
    """Lengths below and above each point; none where an end is not known."""
    y = np.asarray(curve.y, dtype=np.float64)
    ends = [y - np.asarray(curve.low, dtype=np.float64), np.asarray(curve.high, dtype=np.float64) - y]
    return np.maximum(np.nan_to_num(ends), 0)


def _mark(axes: Axes, places: Mapping[str, float | None], *, most: float) -> str:
    """Vertical lines; what they say, for the alt text."""
    said = []
    for number, (name, nats) in enumerate(places.items()):
        if nats is None or not 0 < nats <= most:
            continue
        axes.axvline(
            math.sqrt(nats),
            color=PALETTE[2 + number],
            linewidth=1.8,
            linestyle=("solid", (0, (1.5, 1.5)))[number],
            label=f"{name}: {nats:.2f}",
        )
        said.append(f"{name.capitalize()} at {nats:.2f}.")
    return " ".join(said)
