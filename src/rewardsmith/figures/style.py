"""One look for all pictures: colours, sizes, and how a matplotlib figure becomes inline SVG."""

from __future__ import annotations

import html
import io
import re
from contextlib import AbstractContextManager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe & Ito 2008: told apart with every kind of colour vision, and readable on white and on near-black.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# Two stand-ins that no series uses: text and lines take the page's own colours, so that they follow light and dark.
INK, GRID = "#010203", "#040506"
_PAGE_COLOURS = {INK: "currentColor", GRID: "var(--line, #d5dbe3)"}

STYLE: dict[Any, Any] = {
    "font.size": 11,
    "axes.titlesize": 12.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 2.0,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    # A data set may be called "$x$"; its name is text, not a formula.
    "text.parse_math": False,
    # Text stays text: it can be selected and searched, and the file stays small.
    "svg.fonttype": "none",
    # Ids of clip paths are hashes of what they hold, so the same picture gives the same bytes.
    "svg.hashsalt": "rewardsmith",
}


def new_axes(title: str, x_label: str, y_label: str, *, width: float = 7.2, height: float = 3.6) -> tuple[Figure, Axes]:
    """An empty picture (inches) that belongs to no global list of figures. Call it inside `matplotlib.rc_context`."""
    figure = Figure(figsize=(width, height))
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.tick_params(length=0)
    return figure, axes


def to_svg(figure: Figure, alt: str) -> str:
    """Inline SVG that fills its container's width, says `alt` to a screen reader, and takes the page's colours."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    body = stream.getvalue()
    body = body[body.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"'DejaVu Sans'[^;\"<]*", "system-ui, sans-serif", body)
    for stand_in, colour in _PAGE_COLOURS.items():
        body = body.replace(stand_in, colour)
    view = re.search(r'viewBox="[^"]*"', body)
    # 100 pixels an inch: text of 11 points is as large as the page's own, however wide the picture.
    limit = f"max-width: {figure.get_figwidth() * 100:.0f}px"
    opening = (
        f'<svg {view.group(0) if view else ""} class="plot" style="{limit}" role="img" aria-label="{html.escape(alt)}"'
    )
    namespaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f"{opening} {namespaces}>{body[body.index('>') + 1 :]}".strip()


def drawing() -> AbstractContextManager[None]:
    """The context in which pictures are drawn; matplotlib's settings are as before when it ends."""
    return matplotlib.rc_context(STYLE)
