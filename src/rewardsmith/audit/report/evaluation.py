"""The report of an evaluation: one HTML page that opens anywhere, and the same in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rewardsmith.audit.evaluation import Evaluation
from rewardsmith.audit.report.evidence import evidence_sections
from rewardsmith.audit.report.headline import headline
from rewardsmith.audit.report.reading import reading_section
from rewardsmith.audit.report.summary import summary_sections
from rewardsmith.core.manifest import installed_versions
from rewardsmith.figures.markdown import render_markdown
from rewardsmith.figures.page import render_page
from rewardsmith.figures.pieces import Details, Piece, Prose, Section, Table
from rewardsmith.figures.wording import Cell


@dataclass(frozen=True, slots=True)
class Context:
    """What a report says beside the evaluation: what was evaluated, and how to do it again.

    Attributes:
        name: Name of the reward model.
        recipe: The resolved recipe, as nested mappings; empty where there is none.
        data_counts: Rows kept and dropped by reason, as the preferences manifest counts them.
        commands: Shell commands that give this report again.
        parents: Digests of what the evaluation was made from, by name.
    """

    name: str = "a reward model"
    recipe: Mapping[str, Any] = field(default_factory=dict)
    data_counts: Mapping[str, Any] = field(default_factory=dict)
    commands: tuple[str, ...] = ()
    parents: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RenderedReport:
    """The same report twice.

    Attributes:
        html: One file with its pictures inside; nothing is fetched.
        markdown: Without the pictures.
    """

    html: str
    markdown: str


def render_report(evaluation: Evaluation, context: Context | None = None) -> RenderedReport:
    """The report of an evaluation as HTML and as Markdown; `context` adds where the model came from."""
    context = context or Context()
    title = f"Evaluation of {context.name}"
    sections, subtitle, facts = report_sections(evaluation, context), headline(evaluation), facts_of(evaluation)
    return RenderedReport(
        html=render_page(title, sections, subtitle=subtitle, facts=facts),
        markdown=render_markdown(title, sections, subtitle=subtitle, facts=facts),
    )


def report_sections(evaluation: Evaluation, context: Context) -> tuple[Section, ...]:
    """What the report is made of, the conclusion first and the way to repeat it last."""
    return (
        *summary_sections(evaluation),
        *evidence_sections(evaluation),
        reading_section(evaluation),
        data_section(evaluation, context),
        reproduce_section(evaluation, context),
    )


def facts_of(evaluation: Evaluation) -> dict[str, str]:
    """Short provenance, for the head of the page."""
    counts = evaluation.counts
    train = "not given" if counts.train_preferences is None else f"{counts.train_preferences:,} preferences"
    cut = "not counted" if counts.truncated is None else f"{counts.truncated:,} of {counts.scored:,} conversations"
    return {
        "held out": f"{counts.preferences:,} preferences, {counts.pairs:,} pairs, {counts.groups:,} prompt groups",
        "training data": train,
        "cut to fit the model": cut,
        "model": evaluation.provenance.model_digest[:12],
        "rewardsmith": installed_versions()["rewardsmith"],
    }


def data_section(evaluation: Evaluation, context: Context) -> Section:
    """What was counted, kept and left out."""
    counts, accuracy = evaluation.counts, evaluation.accuracy
    rows: tuple[tuple[Cell, ...], ...] = (
        ("held-out preferences", counts.preferences),
        ("pairs between their responses", counts.pairs),
        ("of these judged", counts.judged),
        ("left out: ties of the raters", accuracy.label_ties),
        ("left out: a reward that is not a number", accuracy.unscored),
        ("judged with exactly equal rewards (half a point each)", accuracy.reward_ties),
        ("prompt groups", counts.groups),
        ("distinct conversations, each scored once", counts.conversations),
        ("with those of the training sample", counts.scored),
        ("of these cut to fit the model", "not counted" if counts.truncated is None else counts.truncated),
    )
    pieces: list[Piece] = [Table(("what", "count"), rows)]
    if context.data_counts:
        table = Table(("what", "value"), flat_rows(context.data_counts))
        pieces.append(Details("Rows of the data that were kept and dropped, by reason", (table,)))
    return Section("What was evaluated", tuple(pieces))


def reproduce_section(evaluation: Evaluation, context: Context) -> Section:
    """Commands, recipe, digests and versions."""
    pieces: list[Piece] = [Prose(f"Run: {command}") for command in context.commands]
    if context.recipe:
        pieces.append(Details("The recipe", (Table(("key", "value"), flat_rows(context.recipe)),)))
    else:
        pieces.append(Prose("No recipe came with this model."))
    facts: tuple[tuple[Cell, ...], ...] = (
        ("model digest", evaluation.provenance.model_digest),
        ("template digest", evaluation.provenance.template_digest),
        ("seed of the resamples", str(evaluation.seed)),
        *((f"made from: {name}", digest) for name, digest in context.parents.items()),
        *installed_versions().items(),
    )
    pieces.append(Details("Digests and versions", (Table(("what", "value"), facts),)))
    intro = "The same model, pairs and seed give the same figures; manifest.json beside this file lists every digest."
    return Section("How to do it again", tuple(pieces), intro=intro)


def flat_rows(values: Mapping[str, Any], prefix: str = "") -> tuple[tuple[Cell, ...], ...]:
    """Nested mappings as rows of a dotted key and a value: `training.seed`, `0`."""
    rows: list[tuple[Cell, ...]] = []
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            rows.extend(flat_rows(value, f"{prefix}{key}."))
        else:
            rows.append((f"{prefix}{key}", "" if value is None else str(value)))
    return tuple(rows)
