"""Numbers as a reader sees them."""

from __future__ import annotations

import math

from rewardsmith.core.finding import Estimate

Cell = str | int | float | Estimate | None
"""What a table holds."""

UNKNOWN = "–"


def number(value: float, *, percent: bool = False) -> str:
    """About four digits: `0.853`, `23.46`, `1,872`; whole numbers without decimals; a dash for NaN."""
    if not math.isfinite(value):
        return UNKNOWN if math.isnan(value) else ("∞" if value > 0 else "−∞")
    if percent:
        text = f"{100 * value:.1f}%"
    elif float(value).is_integer():
        text = f"{int(value):,}"
    elif abs(value) < 0.01:
        text = f"{value:.2g}"
    else:
        text = f"{value:,.{max(0, 3 - len(str(int(abs(value) / 10)).lstrip('0')))}f}"
    return text.replace("-", "−")


def interval(estimate: Estimate, *, percent: bool = False) -> str:
    """`59.8 to 64.0%`; a dash where there is no interval."""
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        return UNKNOWN
    if percent:
        return f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}%"
    return f"{number(estimate.low)} to {number(estimate.high)}"


def sample(estimate: Estimate) -> str:
    """What stands behind the value; its spaces do not break."""
    groups = f" in {estimate.groups:,} groups" if estimate.groups != estimate.n else ""
    return f"n = {estimate.n:,}{groups}".replace(" ", "\N{NO-BREAK SPACE}")


def cell_text(cell: Cell, percent: bool) -> str:
    """The main text of a table's cell."""
    match cell:
        case None:
            return UNKNOWN
        case str() | bool():
            return str(cell)
        case Estimate():
            return number(cell.value, percent=percent)
        case int():
            return number(cell)
        case float():
            return number(cell, percent=percent)


def cell_note(cell: Cell, percent: bool) -> str:
    """What stands small beside it: an estimate's interval."""
    return interval(cell, percent=percent) if isinstance(cell, Estimate) else ""


def is_number(cell: Cell) -> bool:
    """Whether a cell stands on the right."""
    return isinstance(cell, int | float | Estimate) and not isinstance(cell, bool)
