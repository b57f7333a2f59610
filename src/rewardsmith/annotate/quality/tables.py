"""The quality report as tables for a terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from rewardsmith.annotate.quality.page import WORDS
from rewardsmith.annotate.quality.pictures import shown_name
from rewardsmith.annotate.quality.report import QualityReport
from rewardsmith.core.finding import Estimate
from rewardsmith.figures import wording


def tables_of(report: QualityReport) -> tuple[Table, ...]:
    """Counts, agreement, raters, and the flags where there are any."""
    tables = [_counts(report), _agreement(report), _raters(report)]
    if any(row.flags for row in report.raters):
        tables.append(_flags(report))
    return tuple(tables)


def _counts(report: QualityReport) -> Table:
    table = Table(title=Text(f"Votes of {report.title}"), title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, count in report.counts.items():
        table.add_row(WORDS[name], f"{count:,}")
    return table


def _agreement(report: QualityReport) -> Table:
    table = Table(title="Agreement of humans", title_justify="left")
    table.add_column("question")
    table.add_column("tasks")
    for name in ("Krippendorff's α", "Fleiss' κ", "raw", "items"):
        table.add_column(name, justify="right")
    for row in report.agreement:
        cells = (_cell(row.alpha), _cell(row.kappa), _cell(row.raw, percent=True))
        # Text, not markup: a source may be called "[red]".
        table.add_row(Text(row.question), Text(row.part), *cells, str(row.items))
    if not report.agreement:
        table.add_row("no task has two human votes", "", "", "", "", "")
    table.caption = "95% intervals resample prompt groups; 0 is chance, 1 is perfect"
    return table


def _raters(report: QualityReport) -> Table:
    table = Table(title="Raters", title_justify="left")
    table.add_column("rater")
    for name in ("votes", "gold", "like others", "beyond chance", "like before", "first place", "longer*", "seconds"):
        table.add_column(name, justify="right")
    for row in report.raters:
        table.add_row(
            Text(shown_name(row)),
            str(row.votes),
            _cell(row.gold, percent=True, short=True),
            _cell(row.others, percent=True, short=True),
            _cell(row.others_beyond, short=True),
            _cell(row.repeats, percent=True, short=True),
            _cell(row.first_place, percent=True, short=True),
            _cell(row.longer_preference, percent=True, short=True),
            wording.number(row.seconds),
        )
    table.caption = "* share of the longer answer with the others' verdict held equal: 50% is right"
    return table


def _flags(report: QualityReport) -> Table:
    table = Table(title="Worth a look", title_justify="left", show_header=False)
    table.add_column("rater")
    table.add_column("what")
    for row in report.raters:
        for flag in row.flags:
            table.add_row(Text(row.name), Text(f"{flag.text} (n = {flag.estimate.n}, p = {flag.p_value:.2g})"))
    return table


def _cell(estimate: Estimate, *, percent: bool = False, short: bool = False) -> str:
    if estimate.n == 0:
        return wording.UNKNOWN
    value = wording.number(estimate.value, percent=percent)
    return value if short else f"{value} [{wording.interval(estimate, percent=percent)}]"
