"""The evaluation as a table for a terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.evaluation import Evaluation
from rewardsmith.audit.heldout.accuracy import percent
from rewardsmith.audit.report.headline import of_severity, points
from rewardsmith.core.finding import Estimate, Severity

_STYLES: dict[Severity, str] = {"critical": "bold red", "warning": "yellow", "info": ""}


def summary_table(evaluation: Evaluation) -> Table:
    """Accuracy beside the floors, by length and by source; how much was cut stands under it."""
    table = Table(title="Held-out evaluation", title_justify="left", show_lines=False)
    table.add_column("what")
    table.add_column("accuracy", justify="right")
    table.add_column("n", justify="right")
    table.add_column("the model's lead", justify="right")
    _row(table, "this model", evaluation.accuracy.estimate)
    for floor in evaluation.floors:
        _row(table, f"  {floor.name}", floor.estimate, points(floor))
    lengths = evaluation.lengths
    for name, part in (("longer", lengths.longer), ("equally long", lengths.matched), ("shorter", lengths.shorter)):
        _row(table, f"  where chosen is {name}", part)
    for source in evaluation.sources if len(evaluation.sources) > 1 else ():
        _row(table, f"  source {source.name}", source.accuracy)
    if not isinstance(evaluation.gap, Absent):
        _row(table, "on training pairs", evaluation.gap.train)
    ties = f"{evaluation.accuracy.reward_ties} equal rewards count half, {evaluation.accuracy.label_ties} ties left out"
    counts = evaluation.counts
    lines = [f"95% intervals over {counts.groups} prompt groups; {ties}"]
    if counts.truncated:
        lines.append(f"{counts.truncated:,} of {counts.scored:,} conversations were too long and were cut to fit")
    table.caption = "\n".join(lines)
    return table


def findings_table(evaluation: Evaluation) -> Table:
    """Every critical finding and warning, worst first."""
    table = Table(title="Findings", title_justify="left", show_header=False)
    table.add_column("severity")
    table.add_column("what")
    for severity in ("critical", "warning"):
        for finding in of_severity(evaluation, severity):
            # Text, not markup: a source may be called "[red]".
            table.add_row(Text(severity, style=_STYLES[severity]), Text(f"{finding.name}: {finding.summary}"))
    if not table.row_count:
        table.add_row("info", "no check raised a warning")
    return table


def _row(table: Table, name: str, estimate: Estimate, lead: str = "") -> None:
    table.add_row(Text(name), percent(estimate), str(estimate.n), lead)
