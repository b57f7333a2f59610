"""The pictures of cards and reports. Each function returns one inline SVG with a title, labelled axes and an alt text.

A picture without data says so instead of failing, so that a report of a small run is still whole.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from rewardsmith.core.finding import Estimate
from rewardsmith.figures.style import INK, PALETTE, drawing, new_axes, to_svg
from rewardsmith.numerics.calibration import ReliabilityBin

_DASHES = ((0, (5, 2)), (0, (1.5, 1.5)), (0, (5, 2, 1.5, 2)))


@dataclass(frozen=True, slots=True)
class Curve:
    """One line, with the band of its interval where `low` and `high` are given."""

    x: Sequence[float] | np.ndarray
    y: Sequence[float] | np.ndarray
    low: Sequence[float] | np.ndarray | None = None
    high: Sequence[float] | np.ndarray | None = None


def histogram(
    series: Mapping[str, np.ndarray],
    *,
    title: str,
    x_label: str,
    items: str = "pairs",
    bins: int = 40,
    zero_line: bool = False,
    log_x: bool = False,
) -> str:
    """How values are spread; several series share their bins, each as a share of its own items.

    Args:
        series: Name to values; values that are not finite are left out, as are those ≤ 0 under `log_x`.
        items: What a value belongs to, for the axis label.
        zero_line: Mark 0, for margins.
        log_x: Bins of equal width on a logarithmic axis, for lengths.
    """
    known = {name: _usable(values, log_x) for name, values in series.items()}
    with drawing():
        figure, axes = new_axes(title, x_label, f"share of {items}")
        if not any(len(values) for values in known.values()):
            return to_svg(_no_data(figure), f"{title}: no data")
        edges = _edges(np.concatenate(list(known.values())), bins, log_x=log_x)
        for colour, (name, values) in zip(_colours(known), known.items(), strict=True):
            shares = np.histogram(values, bins=edges)[0] / max(1, len(values))
            axes.stairs(shares, edges, fill=True, color=colour, alpha=0.25)
            axes.stairs(shares, edges, color=colour, linewidth=1.8, label=name)
        if log_x:
            _log_axis(axes)
        if zero_line:
            axes.axvline(0, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.grid(visible=False, axis="x")
        _legend(axes, len(known))
        middles = ", ".join(f"{name} {np.median(values):.4g}" for name, values in known.items() if len(values))
        return to_svg(figure, f"Histogram. {title}. Median of {x_label}: {middles}.")


def reliability_diagram(
    before: Sequence[ReliabilityBin], after: Sequence[ReliabilityBin] | None = None, *, title: str = "Calibration"
) -> str:
    """Predicted against observed probability, as it is and after temperature scaling; the diagonal is perfect."""
    shown = {"as it is": before} if after is None else {"as it is": before, "temperature fitted": after}
    with drawing():
        figure, axes = new_axes(title, "predicted probability", "observed share", width=5.0, height=4.6)
        if not any(shown.values()):
            return to_svg(_no_data(figure), f"{title}: no data")
        axes.plot([0, 1], [0, 1], color=INK, linewidth=1.0, linestyle=(0, (4, 3)), label="perfect")
        for colour, marker, (name, bins) in zip(PALETTE[1::-1], "os", shown.items(), strict=False):
            observed = np.array([one.observed for one in bins])
            reach = [[one.observed - one.low for one in bins], [one.high - one.observed for one in bins]]
            axes.errorbar(
                [one.predicted for one in bins],
                observed,
                yerr=np.maximum(np.nan_to_num(reach), 0),
                color=colour,
                marker=marker,
                markersize=5.5,
                elinewidth=1.2,
                label=name,
            )
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.set_aspect("equal")
        axes.legend(loc="upper left")
        gaps = ", ".join(f"{name} {_mean_gap(bins):.3f}" for name, bins in shown.items())
        return to_svg(figure, f"Reliability diagram. {title}. Mean gap to the diagonal: {gaps}.")


def curves(
    series: Mapping[str, Curve],
    *,
    title: str,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    references: Mapping[str, float] | None = None,
) -> str:
    """Lines over a common axis, with bands where intervals are known and horizontal lines at `references`."""
    with drawing():
        figure, axes = new_axes(title, x_label, y_label)
        if not any(len(curve.x) for curve in series.values()):
            return to_svg(_no_data(figure), f"{title}: no data")
        for colour, (name, curve) in zip(_colours(series), series.items(), strict=True):
            axes.plot(
                curve.x, curve.y, color=colour, label=name, marker="o" if len(curve.x) < 20 else None, markersize=4
            )
            if curve.low is not None and curve.high is not None:
                axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.18, linewidth=0)
        for name, value in (references or {}).items():
            axes.axhline(value, color=INK, linewidth=1.0, linestyle=(0, (4, 3)))
            axes.annotate(
                name, (1, value), (-4, 3), axes.get_yaxis_transform(), "offset points", ha="right", fontsize=9
            )
        if log_x:
            _log_axis(axes)
        _legend(axes, len(series))
        last = ", ".join(f"{name} {curve.y[-1]:.4g}" for name, curve in series.items() if len(curve.y))
        return to_svg(figure, f"Curves. {title}. Last {y_label}: {last}.")


def bars(
    estimates: Mapping[str, Estimate],
    *,
    title: str,
    x_label: str,
    references: Mapping[str, float] | None = None,
    percent: bool = True,
) -> str:
    """A bar for each estimate with its interval, and vertical lines at `references` (floors, bars to clear).

    Args:
        percent: Values are shares; the axis shows them in percent, from 0 to 100.
    """
    known = {name: one for name, one in estimates.items() if math.isfinite(one.value)}
    with drawing():
        figure, axes = new_axes(title, x_label, "", height=1.5 + 0.42 * max(1, len(known)))
        if not known:
            return to_svg(_no_data(figure), f"{title}: no data")
        places = np.arange(len(known))[::-1]
        values = np.array([one.value for one in known.values()])
        reach = np.array([[one.value - one.low, one.high - one.value] for one in known.values()]).T
        axes.barh(places, values, height=0.58, color=PALETTE[0], alpha=0.75)
        axes.errorbar(values, places, xerr=np.maximum(np.nan_to_num(reach), 0), fmt="none", ecolor=INK, capsize=3)
        axes.set_yticks(places, list(known))
        for place, (name, value) in enumerate((references or {}).items()):
            dashes = _DASHES[place % len(_DASHES)]
            axes.axvline(value, color=PALETTE[1], linewidth=1.8, linestyle=dashes, label=name)
        if percent:
            axes.set_xlim(0, 1)
            axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.grid(visible=False, axis="y")
        if references:
            figure.legend(loc="outside lower right", ncols=3)
        said = "; ".join(f"{name} {one}" for name, one in known.items())
        lines = "".join(f"; line at {value:.3f}: {name}" for name, value in (references or {}).items())
        return to_svg(figure, f"Bars. {title}. {said}{lines}.")


def _usable(values: np.ndarray, log_x: bool) -> Float[np.ndarray, " item"]:
    values = np.asarray(values, dtype=np.float64)
    return values[np.isfinite(values) & ((values > 0) | (not log_x))]


def _edges(values: Float[np.ndarray, " item"], bins: int, *, log_x: bool) -> Float[np.ndarray, " edge"]:
    low, high = float(values.min()), float(values.max())
    if low == high:
        low, high = (low / 2, high * 2) if log_x else (low - 0.5, high + 0.5)
    return np.geomspace(low, high, bins + 1) if log_x else np.linspace(low, high, bins + 1)


def _log_axis(axes: Axes) -> None:
    """Plain numbers at the decades: matplotlib's own labels are formulas, and formulas are switched off."""
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _colours(series: Mapping[str, object]) -> list[str]:
    return [PALETTE[place % len(PALETTE)] for place in range(len(series))]


def _legend(axes: Axes, count: int) -> None:
    if count > 1:
        axes.legend(loc="best")


def _mean_gap(bins: Sequence[ReliabilityBin]) -> float:
    points = sum(one.n for one in bins)
    return sum(one.n * abs(one.predicted - one.observed) for one in bins) / points if points else math.nan


def _no_data(figure: Figure) -> Figure:
    (axes,) = figure.axes
    axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", va="center")
    axes.set_xticks([])
    axes.set_yticks([])
    return figure
