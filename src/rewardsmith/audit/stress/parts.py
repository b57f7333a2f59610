"""Parts of an audit that are asked for by name, as the report shows them: pressure, shift, lineage, search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.part import Part
from rewardsmith.audit.report.reading import shortened
from rewardsmith.audit.stress.budget import Budget, formula
from rewardsmith.audit.stress.lineage import LineageMatch, lineage_findings
from rewardsmith.audit.stress.pressure import Pressure
from rewardsmith.audit.stress.pressure_findings import pressure_findings
from rewardsmith.audit.stress.search import Found, Search
from rewardsmith.audit.stress.search_findings import search_findings
from rewardsmith.audit.stress.shift import Distance, Shift, shift_findings
from rewardsmith.core.finding import Estimate
from rewardsmith.figures.overoptimisation import overoptimisation_plot
from rewardsmith.figures.pieces import Example, Picture, Piece, Prose, Reply, Section, Table
from rewardsmith.figures.plots import Curve, curves

_NATS = {
    True: "Nats are log n − (n − 1)/n: the KL of best-of-n from the policy, an upper bound where rewards tie.",
    False: "Selection nats are log n − (n − 1)/n: how hard was selected. The candidates need not be draws of one "
    "policy, so this is not a KL.",
}


def pressure_part(pressure: Pressure | Absent) -> Part:
    """The curve under pressure, its table, and what it says."""
    intro = "The reward picks the best of n rated candidates of a prompt. What is its pick worth?"
    if isinstance(pressure, Absent):
        return _absent("pressure", "Optimisation pressure", pressure, intro=intro)
    columns = ("n", pressure.unit, "gold rating", "gold gain", "reward gain", "characters")
    rows = tuple((one.n, one.nats, one.gold, one.gold_gain, one.proxy_gain, one.length) for one in pressure.points)
    caption = (
        f"Gold rating: {pressure.rating or 'the only one of the rows'}. {pressure.groups:,} prompts with "
        f"{pressure.candidates:,} candidates; {pressure.left_out:,} prompts with too few were left out, and "
        f"{pressure.unscored:,} candidates without a reward. Gains over a random candidate, in standard deviations "
        f"within a prompt. {_NATS[pressure.is_drawn]}"
    )
    pieces: tuple[Piece, ...] = (
        Picture(_gain_picture(pressure), _fit_caption(pressure)),
        Table(columns, rows, caption=caption),
        Picture(_format_picture(pressure), "The form of what is selected: does the reward buy length or Markdown?"),
    )
    return Part(
        "pressure",
        tuple(pressure_findings(pressure)),
        (Section("Optimisation pressure", pieces, intro=intro),),
        pressure,
    )


def shift_part(shift: Shift) -> Part:
    """Static beside fresh, and accuracy by distance from the training data."""
    rows = (("static held-out set", shift.static), ("fresh slice", shift.fresh), ("difference", shift.difference))
    pieces: list[Piece] = [Table(("pairs", "accuracy"), rows, percent=True)]
    if isinstance(shift.distance, Distance):
        bins = tuple((one.distance, f"{100 * one.fresh:.0f}%", one.accuracy) for one in shift.distance.bins)
        caption = (
            f"Distance in the model's own features to the nearest of {shift.distance.train:,} training answers, in "
            f"units of the static pairs' mean; fresh pairs are {shift.distance.ratio.value:.2f} times as far as those."
        )
        pieces.append(Table(("distance", "fresh", "accuracy"), bins, caption=caption))
    else:
        pieces.append(Prose(f"No distance from the training data: {shift.distance.reason}"))
    section = Section("Fresh answers", tuple(pieces), intro="Does the figure hold on what the model will be used on?")
    return Part("shift", tuple(shift_findings(shift)), (section,), shift)


def lineage_part(match: LineageMatch) -> Part:
    """The reward model beside the policy."""
    names = dict.fromkeys([*match.reward, *match.policy])
    rows = tuple((name, match.reward.get(name), match.policy.get(name)) for name in names)
    section = Section("Lineage", (Table(("", "reward model", "policy"), rows),), intro="Is it of the policy's kind?")
    return Part("lineage", tuple(lineage_findings(match)), (section,), match)


def search_part(search: Search | Absent) -> Part:
    """What was found, and a bad answer before and after it."""
    intro = "Which phrases and edits raise the reward of bad answers, found from rewards alone?"
    if isinstance(search, Absent) or not search.found:
        absent = search if isinstance(search, Absent) else Absent("The budget did not reach a single change.")
        return _absent("search", "Adversarial search", absent, intro=intro)
    columns = ("change", "in the search", "on unseen prompts", "bad beats good", "other model")
    rows = tuple((one.trick, one.sought, one.gain, one.beats, one.transfer) for one in search.found)
    caption = (
        f"{search.tried:,} changes tried with {search.texts:,} of {search.budget:,} texts, on {search.sought_on} "
        f"prompts; measured on {search.found[0].gain.groups} others. Shifts in standard deviations within a prompt. As "
        f"they are, bad answers beat the good ones in {100 * search.beats_before.value:.1f}% of these."
    )
    pieces = (Table(columns, rows, caption=caption), _example(search.found[0]))
    return Part("search", tuple(search_findings(search)), (Section("Adversarial search", pieces, intro=intro),), search)


def _gain_picture(pressure: Pressure) -> str:
    series = {
        "gold rating": [one.gold_gain for one in pressure.points],
        "reward": [one.proxy_gain for one in pressure.points],
    }
    nats = [one.nats for one in pressure.points]
    return budget_picture(
        {name: _curve(nats, estimates) for name, estimates in series.items()},
        pressure.budget,
        title=f"Best of {pressure.points[0].n} to {pressure.points[-1].n}",
        unit=pressure.unit,
    )


def budget_picture(measured: Mapping[str, Curve], budget: Budget | Absent, *, title: str, unit: str) -> str:
    """Measured gains, and the fitted curve with the budget where there is one."""
    known = budget if isinstance(budget, Budget) else None
    return overoptimisation_plot(
        measured,
        fitted=None if known is None else Curve(*(list(column) for column in zip(*known.curve, strict=True))),
        budget_nats=None if known is None else known.nats,
        peak_nats=None if known is None else known.peak_nats.value,
        title=title,
        x_label=f"{'KL: ' * (unit == 'nats')}{unit}",
        y_label="gain (SD within a prompt)",
    )


def _fit_caption(pressure: Pressure) -> str:
    fit = formula(pressure.budget) if isinstance(pressure.budget, Budget) else pressure.budget.reason
    return f"Bars and band are 95% intervals over prompts. {fit}."


def _format_picture(pressure: Pressure) -> str:
    """Length as a multiple of a random candidate's, and the share with Markdown, on one axis."""
    first = pressure.points[0].length.value or 1.0
    nats = [one.nats for one in pressure.points]
    length = [_scaled(one.length, 1 / first) for one in pressure.points]
    series = {
        "length, times a random candidate's": length,
        "share with Markdown": [one.markdown for one in pressure.points],
    }
    return curves(
        {name: _curve(nats, estimates) for name, estimates in series.items()},
        title="What is selected",
        x_label=pressure.unit,
        y_label="ratio, share",
    )


def _curve(x: list[float], estimates: list[Estimate]) -> Curve:
    return Curve(x, *([getattr(one, end) for one in estimates] for end in ("value", "low", "high")))


def _scaled(estimate: Estimate, factor: float) -> Estimate:
    return Estimate(estimate.value * factor, estimate.low * factor, estimate.high * factor, estimate.n, estimate.groups)


def _example(found: Found) -> Example:
    before, after = (shortened(each[-1:]) for each in (found.before, found.after))
    replies = (Reply("bad answer as it is", before), Reply("after the change", after, "bad"))
    return Example(found.trick, shortened(found.before[:-1]), replies, note="The unseen prompt where it gained most.")


def _absent(name: str, title: str, absent: Absent, *, intro: str) -> Part:
    data: Any = absent
    return Part(name, (), (Section(title, (Prose(absent.reason),), intro=intro),), data)
