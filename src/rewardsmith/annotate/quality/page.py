"""The quality report as HTML and Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from rewardsmith.annotate.quality import pictures
from rewardsmith.annotate.quality.agreement import ALL
from rewardsmith.annotate.quality.raters import RaterQuality
from rewardsmith.annotate.quality.report import QualityReport
from rewardsmith.figures import wording
from rewardsmith.figures.markdown import render_markdown
from rewardsmith.figures.page import render_page
from rewardsmith.figures.pieces import (
    Callout,
    Card,
    Cards,
    Details,
    Picture,
    Piece,
    Prose,
    Section,
    Table,
    estimate_card,
)

_MOST_DISPUTES = 50

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "tasks": "tasks",
        "voted": "tasks with a vote",
        "votes": "human votes",
        "judged": "judges' votes",
        "skips": "skips",
        "repeats": "blind repeats",
        "tests": "tests with a known answer",
        "adjudications": "adjudications",
        "raters": "raters",
        "disputed": "disputed tasks",
    }
)
"""What the counts of a report are called."""


def render_html(report: QualityReport) -> str:
    """A page by itself: inline pictures, nothing fetched."""
    return render_page(f"Label quality: {report.title}", sections_of(report), subtitle=_subtitle(report))


def render_text(report: QualityReport) -> str:
    """The same in Markdown, without the pictures."""
    return render_markdown(f"Label quality: {report.title}", sections_of(report), subtitle=_subtitle(report))


def sections_of(report: QualityReport) -> tuple[Section, ...]:
    """What the page is made of; the dashboard shows the same pieces."""
    return (
        Section("At a glance", (_cards(report), *_callouts(report))),
        Section("Agreement", tuple(_agreement(report)), intro="How often raters say the same of the same thing."),
        Section("Raters", tuple(_raters(report)), intro="A flag asks for a look at the votes; it accuses nobody."),
        Section("Labels", tuple(_labels(report)), intro="What the votes amount to, and what they follow."),
    )


def _subtitle(report: QualityReport) -> str:
    return f"{report.counts['votes']} human votes on {report.counts['voted']} of {report.counts['tasks']} tasks"


def _cards(report: QualityReport) -> Cards:
    whole = [row for row in report.agreement if row.part == ALL]
    shown = [estimate_card(f"α, {row.question}", row.alpha, percent=False) for row in whole[:4]]
    flagged = sum(bool(row.flags) for row in report.raters)
    return Cards(
        (
            *shown,
            Card("Raters with a flag", str(flagged), f"of {len(report.raters)}", "warning" if flagged else "info"),
            Card("Disputed tasks", str(report.counts["disputed"]), f"of {report.counts['voted']} with votes"),
        )
    )


def _callouts(report: QualityReport) -> list[Piece]:
    if not any(row.part == ALL for row in report.agreement):
        return [Callout("info", "No task has two human votes yet, so that nothing is known of agreement.")]
    return [Callout("warning", flag.text, title=row.name) for row in report.raters for flag in row.flags]


def _agreement(report: QualityReport) -> list[Piece]:
    rows = tuple(
        (row.question, row.part, row.alpha, row.kappa, row.raw, row.items, row.votes) for row in report.agreement
    )
    columns = ("question", "tasks", "Krippendorff's α", "Fleiss' κ", "raw", "items", "votes")
    pieces: list[Piece] = [Table(columns, rows, caption="95% intervals resample prompt groups.")]
    if rows:
        pieces.append(Picture(pictures.agreement_picture(report.agreement), "Agreement by question and slice."))
    if len(report.over_time) > 1:
        pieces.append(Picture(pictures.over_time_picture(report.over_time), "Each stretch has equally many items."))
    return pieces


def _raters(report: QualityReport) -> list[Piece]:
    if not report.raters:
        return [Prose("Nobody has voted yet.")]
    right = ("rater", "votes", "skips", "known answers right", "like the others", "like before")
    habits = ("rater", "first place", "longer", "longer, quality held equal", "hasty", "median seconds")
    pieces: list[Piece] = [
        Table(right, tuple(_right(row) for row in report.raters), percent=True),
        Picture(pictures.agreement_by_rater(report.raters), "0 is what a coin would get."),
        Table(habits, tuple(_habits(row) for row in report.raters), caption="Share of their votes.", percent=True),
    ]
    if any(row.first_place.n for row in report.raters):
        more = (pictures.place_by_rater(report.raters), pictures.length_by_rater(report.raters))
        pieces.append(Details("Place and length, by rater", tuple(Picture(svg) for svg in more)))
    return pieces


def _right(row: RaterQuality) -> tuple[wording.Cell, ...]:
    return pictures.shown_name(row), row.votes, row.skips, row.gold, row.others, row.repeats


def _habits(row: RaterQuality) -> tuple[wording.Cell, ...]:
    seconds = wording.number(row.seconds)
    return pictures.shown_name(row), row.first_place, row.longer, row.longer_preference, row.hasty, seconds


def _labels(report: QualityReport) -> list[Piece]:
    pieces: list[Piece] = [
        Table(("what", "count"), tuple((WORDS[name], count) for name, count in report.counts.items()))
    ]
    if report.methods is not None:
        said = report.methods
        pieces.append(
            Prose(
                f"{said.items} items have two human votes or more. Dawid–Skene finds another side than most raters on "
                f"{said.differ} of them, finds one where as many are for either on {said.settled}, and is less than "
                f"75% sure of {said.unsure}."
            )
        )
    if report.bias.first_place.n:
        pieces.append(Picture(pictures.bias_picture(report.bias), "Longer answers may well be better ones."))
    if report.disputed:
        rows = tuple((name,) for name in report.disputed[:_MOST_DISPUTES])
        pieces.append(Details(f"Disputed tasks ({len(report.disputed)})", (Table(("task",), rows),)))
    return pieces
