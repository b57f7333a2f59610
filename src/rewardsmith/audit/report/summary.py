"""The top of the report: headline numbers, what they say and do not say, and every finding."""

from __future__ import annotations

from collections.abc import Sequence

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.evaluation import Evaluation
from rewardsmith.audit.report.headline import best_floor, does_not_say, of_severity, says
from rewardsmith.core.finding import Finding, Severity, finding_name
from rewardsmith.figures import plots
from rewardsmith.figures.pieces import (
    Callout,
    Cards,
    Details,
    Picture,
    Piece,
    Prose,
    Section,
    Table,
    estimate_card,
)
from rewardsmith.figures.wording import Cell


def summary_sections(evaluation: Evaluation) -> tuple[Section, ...]:
    """In plain words, the accuracy beside the floors, and the findings by severity."""
    return _plain_words(evaluation), _accuracy(evaluation), _findings(evaluation)


def severity_of(evaluation: Evaluation, name: str) -> Severity:
    """Severity of the finding `name`; `info` where there is none."""
    for finding in evaluation.findings:
        if finding.name == name:
            return finding.severity
    return "info"


def _plain_words(evaluation: Evaluation) -> Section:
    lengths = evaluation.lengths
    cards = [
        estimate_card(
            "held-out accuracy", evaluation.accuracy.estimate, severity=severity_of(evaluation, "accuracy.heldout")
        ),
        estimate_card(
            "where both answers are equally long", lengths.matched, severity=severity_of(evaluation, "length.matched")
        ),
    ]
    if evaluation.floors:
        floor = best_floor(evaluation)
        name = finding_name("accuracy.over", floor.name)
        cards.insert(1, estimate_card(f"lead over “{floor.name}”", floor.lead, severity=severity_of(evaluation, name)))
    if not isinstance(evaluation.gap, Absent):
        severity = severity_of(evaluation, "gap.train_heldout")
        cards.append(estimate_card("gap to training pairs", evaluation.gap.difference, severity=severity))
    return Section(
        "In plain words",
        (
            Cards(tuple(cards)),
            *_warning_cards(evaluation),
            Prose("What this evidence says:"),
            *(Prose(f"• {sentence}") for sentence in says(evaluation)),
            Prose("What it does not say:"),
            *(Prose(f"• {sentence}") for sentence in does_not_say(evaluation)),
        ),
    )


def _warning_cards(evaluation: Evaluation) -> tuple[Callout, ...]:
    """Critical findings, and the warnings that turn a headline figure over, stand right under it."""
    loud = ("length.matched", "length.against", "source.conflict")
    return tuple(
        Callout(finding.severity, finding.summary, finding.name)
        for finding in evaluation.findings
        if finding.severity == "critical" or (finding.severity == "warning" and finding.name in loud)
    )


def _accuracy(evaluation: Evaluation) -> Section:
    rows: list[tuple[Cell, ...]] = [("this model", evaluation.accuracy.estimate, None, "")]
    rows += [(floor.name, floor.estimate, floor.lead, floor.how) for floor in evaluation.floors]
    if not isinstance(evaluation.gap, Absent):
        rows.append(
            ("this model on training pairs", evaluation.gap.train, None, "as many preferences, drawn by chance")
        )
    accuracy = evaluation.accuracy
    estimates = {"this model": accuracy.estimate, **{floor.name: floor.estimate for floor in evaluation.floors}}
    svg = plots.bars(
        estimates,
        title="Held-out accuracy",
        x_label="pairs ordered as the raters ordered them",
        references={"coin": 0.5},
    )
    note = (
        f"{accuracy.reward_ties} of {accuracy.estimate.n} judged pairs got exactly equal rewards; each counts half. "
        "Leads are paired: both are judged on the same pairs, so their interval is narrower than the two bars suggest."
    )
    table = Table(("who orders the pairs", "accuracy", "the model's lead", "how"), tuple(rows), percent=True)
    intro = "A figure alone says little: some of it is reached by rules that understand nothing."
    return Section("Accuracy and floors", (table, Picture(svg), Prose(note)), intro=intro)


def _findings(evaluation: Evaluation) -> Section:
    worse = [*of_severity(evaluation, "critical"), *of_severity(evaluation, "warning")]
    quiet = of_severity(evaluation, "info")
    pieces: list[Piece] = [_finding_table(worse)] if worse else [Prose("No check raised a warning.")]
    if quiet:
        pieces.append(Details(f"{len(quiet)} checks that found nothing wrong", (_finding_table(quiet),)))
    intro = f"{len(evaluation.findings)} checks, worst first. report.json holds each under its name, with its figure."
    return Section("Findings", tuple(pieces), intro=intro)


def _finding_table(findings: Sequence[Finding]) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (finding.severity, finding.name, finding.summary + _examples(finding)) for finding in findings
    )
    return Table(("severity", "check", "what it saw"), rows)


def _examples(finding: Finding) -> str:
    return f" For example: {', '.join(finding.examples)}." if finding.examples else ""
