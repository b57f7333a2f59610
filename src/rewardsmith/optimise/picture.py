"""The picture of a run: proxy, gold, KL, length and β over its steps, drawn anew as it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rewardsmith.figures.page import render_page
from rewardsmith.figures.pieces import Picture, Section
from rewardsmith.figures.plots import Curve, curves

_PARTS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    ("Reward", "reward", (("proxy", "on training prompts"), ("fresh_proxy", "on fresh samples"))),
    ("Gold", "gold", (("gold", "gold"),)),
    ("KL from the reference", "nats a response", (("kl_nats", "KL"),)),
    ("Length", "tokens", (("length", "on training prompts"), ("fresh_length", "on fresh samples"))),
    ("β", "rewards a nat", (("beta", "β"),)),
)


def run_picture(lines: Sequence[Mapping[str, float]], *, title: str, stopped: str | None = None) -> str:
    """A self-contained HTML page.

    Args:
        lines: Of the run so far; what no line holds is not drawn.
        stopped: Why it ended before its time.
    """
    shown = f"{len(lines)} steps" + (f"; ended early: {stopped}" if stopped else "")
    sections = [Section(part, (Picture(svg),)) for part, svg in run_plots(lines).items()]
    return render_page(title, sections, subtitle=shown)


def run_plots(lines: Sequence[Mapping[str, float]]) -> dict[str, str]:
    """The SVG of each part that the lines hold something of."""
    found: dict[str, str] = {}
    for part, unit, series in _PARTS:
        drawn = {label: _curve(lines, name) for name, label in series if any(name in line for line in lines)}
        if not drawn and part == "Reward":
            drawn = {"reward": _curve(lines, "reward")} if any("reward" in line for line in lines) else {}
        if drawn:
            found[part] = curves(drawn, title=part, x_label="step", y_label=unit)
    return found


def _curve(lines: Sequence[Mapping[str, float]], name: str) -> Curve:
    known = [line for line in lines if name in line]
    stem = "kl" if name == "kl_nats" else name
    low, high = ([line.get(f"{stem}_{end}", line[name]) for line in known] for end in ("low", "high"))
    x, y = [line["step"] for line in known], [line[name] for line in known]
    has_band = any(f"{stem}_low" in line for line in known)
    return Curve(x, y, low, high) if has_band else Curve(x, y)
