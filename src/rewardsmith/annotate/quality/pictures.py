"""The pictures of the quality report and the dashboard: agreement, agreement over time, raters, label bias."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rewardsmith.annotate.quality.agreement import ALL, Agreement
from rewardsmith.annotate.quality.over_time import Window
from rewardsmith.annotate.quality.raters import RaterQuality
from rewardsmith.annotate.quality.report import LabelBias
from rewardsmith.core.finding import Estimate
from rewardsmith.figures.plots import Curve, bars, curves

_MOST_RATERS = 40


def agreement_picture(rows: Sequence[Agreement]) -> str:
    """Krippendorff's α of each question over all tasks, and of the first question by slice."""
    whole = {row.question: row.alpha for row in rows if row.part == ALL}
    first = next(iter(whole), None)
    slices = {row.part: row.alpha for row in rows if row.part != ALL and row.question == first}
    return bars(whole | slices, title="Agreement", x_label="Krippendorff's α (0: chance, 1: perfect)", percent=False)


def over_time_picture(windows: Sequence[Window]) -> str:
    """α and raw agreement, a point a stretch of equally many items."""
    places = list(range(1, len(windows) + 1))
    series = {
        "Krippendorff's α": _curve(places, [window.agreement.alpha for window in windows]),
        "raw agreement": _curve(places, [window.agreement.raw for window in windows]),
    }
    return curves(series, title="Agreement over time", x_label="stretch of items, oldest first", y_label="agreement")


def agreement_by_rater(rows: Sequence[RaterQuality]) -> str:
    """Each rater's agreement with the other humans, beyond chance."""
    title = "Agreement with the others, beyond chance"
    return bars(_named(rows, {row.rater: row.others_beyond for row in rows}), title=title, x_label="κ", percent=False)


def place_by_rater(rows: Sequence[RaterQuality]) -> str:
    """Each rater's share of votes for what was shown first."""
    values = _named(rows, {row.rater: row.first_place for row in rows})
    return bars(values, title="Votes for the first place", x_label="share", references={"right: 50%": 0.5})


def length_by_rater(rows: Sequence[RaterQuality]) -> str:
    """Each rater's share of votes for the longer response, the others' verdict held equal."""
    values = _named(rows, {row.rater: row.longer_preference for row in rows})
    title = "Votes for the longer answer, quality held equal"
    return bars(values, title=title, x_label="share", references={"right: 50%": 0.5})


def bias_picture(bias: LabelBias) -> str:
    """What all labels together follow."""
    values = {"shown first": bias.first_place, "longer": bias.longer}
    return bars(values, title="What the labels went to", x_label="share of decided votes", references={"half": 0.5})


def shown_name(row: RaterQuality) -> str:
    """What a rater is called; a judge is marked as one."""
    return f"{row.name} (judge)" if row.origin == "judge" else row.name


def _named(rows: Sequence[RaterQuality], values: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """By name, told apart where two have the same one; the raters with most votes where there are many."""
    busiest = sorted(rows, key=lambda row: -row.votes)[:_MOST_RATERS]
    names = [shown_name(row) for row in busiest]
    return {
        f"{name} ({row.rater})" if names.count(name) > 1 else name: values[row.rater]
        for name, row in zip(names, busiest, strict=True)
    }


def _curve(places: Sequence[int], estimates: Sequence[Estimate]) -> Curve:
    return Curve(
        x=places,
        y=[one.value for one in estimates],
        low=[one.low for one in estimates],
        high=[one.high for one in estimates],
    )
