"""The result for people: tables for a terminal, and the pieces of a page."""

from __future__ import annotations

from rich.table import Table as TerminalTable
from rich.text import Text

from rewardsmith import __version__
from rewardsmith.audit.benchmarks.result import BenchmarkResult, Figure
from rewardsmith.audit.heldout.accuracy import percent
from rewardsmith.figures.markdown import render_markdown
from rewardsmith.figures.page import render_page
from rewardsmith.figures.pieces import Callout, Picture, Piece, Prose, Section, Table
from rewardsmith.figures.plots import bars
from rewardsmith.figures.wording import interval

TITLES = {
    "rewardbench": "RewardBench",
    "rewardbench-2": "RewardBench 2",
    "rm-bench": "RM-Bench",
    "pairs": "Pairs",
    "best-of-k": "Best of K",
}
_HEADERS = ("", "score", "n", "chance", "equal rewards")


def result_table(result: BenchmarkResult) -> TerminalTable:
    """Every figure with its interval; rules, provenance and notes stand under it."""
    table = TerminalTable(title=f"{TITLES[result.benchmark]}: {result.model}", title_justify="left")
    for place, header in enumerate(_HEADERS):
        table.add_column(header, justify="right" if place else "left")
    for each in result.figures:
        name = ("" if each.level == "overall" else "  " if each.level == "section" else "    ") + each.name
        table.add_row(Text(name), percent(each.estimate), str(each.estimate.n), _chance(each), _ties(each))
    lines = [result.rule, "95% intervals over prompt groups.", _scored(result), *result.notes]
    table.caption = "\n".join(lines)
    table.caption_justify = "left"
    return table


def published_table(result: BenchmarkResult) -> TerminalTable:
    """Scores that others published, best first, with this model among them."""
    table = TerminalTable(title="Beside published scores", title_justify="left")
    table.add_column("model")
    table.add_column("score", justify="right")
    table.add_column("source")
    for model, score, source in _ranked(result):
        table.add_row(Text(model), f"{100 * score:.1f}%", Text(source))
    return table


def to_html(result: BenchmarkResult) -> str:
    """One self-contained page."""
    return render_page(_title(result), _sections(result), subtitle=result.rule, facts=_facts(result))


def to_markdown(result: BenchmarkResult) -> str:
    """The same without the picture."""
    return render_markdown(_title(result), _sections(result), subtitle=result.rule, facts=_facts(result))


def _sections(result: BenchmarkResult) -> tuple[Section, ...]:
    shown = {each.name: each.estimate for each in result.figures if each.level in ("overall", "section")}
    notes: tuple[Piece, ...] = tuple(Callout("warning", note) for note in result.notes)
    rows = tuple((each.name, each.estimate, each.estimate.n, _chance(each), _ties(each)) for each in result.figures)
    picture = Picture(bars(shown, title=_title(result), x_label="score"))
    score = Section(
        "Scores",
        (
            *notes,
            picture,
            Table(("", *_HEADERS[1:]), rows, caption="95% intervals over prompt groups.", percent=True),
            Prose(_scored(result)),
        ),
    )
    if not result.published:
        return (score,)
    ranked = tuple((model, value, source) for model, value, source in _ranked(result))
    caution = (
        "Computed by other code, mostly in 16 bits and on the models' own templates: a point up or down means nothing."
    )
    beside = Table(("model", "score", "source"), ranked, percent=True)
    return (score, Section("Beside published scores", (Prose(caution), beside)))


def _ranked(result: BenchmarkResult) -> list[tuple[str, float, str]]:
    """This model (where it has a score) and the published ones, best first."""
    rows = [(each.model, each.overall, each.source) for each in result.published]
    own = result.overall.estimate.value
    if own == own:
        rows.append(
            (f"{result.model} (this run)", own, f"95% interval {interval(result.overall.estimate, percent=True)}")
        )
    return sorted(rows, key=lambda row: -row[1])


def _title(result: BenchmarkResult) -> str:
    return f"{TITLES[result.benchmark]}: {result.model}"


def _facts(result: BenchmarkResult) -> dict[str, str]:
    return {
        "model": result.model,
        "data": result.data,
        "weights": result.provenance.model_digest[:12],
        "template": result.provenance.template_digest[:12],
        "seed of the intervals": str(result.seed),
        "rewardsmith": __version__,
    }


def _scored(result: BenchmarkResult) -> str:
    counts = result.counts
    cut = "" if counts.truncated is None else f", {counts.truncated:,} cut to fit"
    return (
        f"{counts.questions:,} prompts with {counts.answers:,} answers, {counts.scored:,} of them distinct and scored "
        f"once{cut}; {counts.ties:,} pairs of a correct and an incorrect answer have equal rewards; template "
        f"{result.provenance.template_digest[:12]}."
    )


def _chance(each: Figure) -> str:
    return "" if each.chance is None else f"{100 * each.chance:.0f}%"


def _ties(each: Figure) -> str:
    return "" if each.ties is None else f"{each.ties:,}"
