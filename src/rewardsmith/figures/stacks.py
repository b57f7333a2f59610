"""Bars of parts that add up: of how many tasks of each region what is known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rewardsmith.figures.style import GRID, INK, PALETTE, drawing, new_axes, to_svg

_HATCHES = ("", "///", "", "...")


def stacked_bars(rows: Mapping[str, Mapping[str, float]], *, title: str, x_label: str) -> str:
    """One bar a row, made of its parts, the first row on top.

    The parts differ by colour and hatching; the last one, which stands for nothing, is the page's own line colour.

    Args:
        rows: Row → part → size; the parts of the first row are those of all.
    """
    parts = list(next(iter(rows.values()), {}))
    with drawing():
        figure, axes = new_axes(title, x_label, "", height=1.5 + 0.34 * max(1, len(rows)))
        if not any(sum(row.values()) for row in rows.values()):
            axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", va="center")
            axes.set_xticks([])
            axes.set_yticks([])
            return to_svg(figure, f"{title}: no data")
        places = np.arange(len(rows))[::-1]
        left = np.zeros(len(rows))
        for number, part in enumerate(parts):
            sizes = np.array([row.get(part, 0.0) for row in rows.values()])
            colour = GRID if number == len(parts) - 1 else PALETTE[number % len(PALETTE)]
            hatch = _HATCHES[number % len(_HATCHES)]
            axes.barh(
                places,
                sizes,
                left=left,
                height=0.62,
                color=colour,
                hatch=hatch,
                edgecolor=INK,
                linewidth=0.4,
                label=part,
            )
            left = left + sizes
        axes.set_yticks(places, list(rows))
        axes.grid(visible=False, axis="y")
        figure.legend(loc="outside lower right", ncols=len(parts))
        said = "; ".join(
            f"{name}: " + ", ".join(f"{part} {size:g}" for part, size in row.items()) for name, row in rows.items()
        )
        return to_svg(figure, f"Stacked bars. {title}. {said}.")
