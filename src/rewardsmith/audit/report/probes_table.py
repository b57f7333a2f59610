"""The probes of an audit as a table for a terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from rewardsmith.audit.audit import Audit
from rewardsmith.core.finding import Finding, Severity

_STYLES: dict[Severity, str] = {"critical": "bold red", "warning": "yellow", "info": ""}


def probes_table(audit: Audit) -> Table:
    """Every probe with its mean shift and its limit; how much was scored stands under it."""
    table = Table(title="Probes: shift of the reward, in SD within a prompt", title_justify="left", show_lines=False)
    table.add_column("probe")
    table.add_column("expected")
    table.add_column("mean shift", justify="right")
    table.add_column("limit", justify="right")
    table.add_column("edits", justify="right")
    table.add_column("")
    findings = {finding.name: finding for finding in audit.findings}
    for result in audit.probes:
        finding, shift = findings[result.probe], result.shift
        measured = f"{shift.value:+.2f} [{shift.low:+.2f}, {shift.high:+.2f}]" if shift.n else "no figure"
        verdict = finding.severity if finding.severity != "info" else ("" if result.p_value is not None else "too few")
        style = _STYLES[finding.severity]
        limit = f"{finding.limit:+.2f}" if finding.limit is not None else ""
        table.add_row(result.probe, result.expects, measured, limit, str(shift.n), Text(verdict, style=style))
    for name in (contrast.name for contrast in audit.contrasts):
        _contrast_row(table, findings[name])
    texts = audit.texts
    table.caption = (
        f"{texts.probes:,} texts for the probes ({texts.budget:,} allowed), {texts.scored:,} in all, each scored once, "
        f"in {texts.seconds:.0f} s"
    )
    return table


def _contrast_row(table: Table, finding: Finding) -> None:
    one = finding.estimate
    measured = f"{one.value:+.2f} [{one.low:+.2f}, {one.high:+.2f}]" if one.n else "no figure"
    limit = f"±{finding.limit:.2f}" if finding.limit is not None else ""
    verdict = finding.severity if finding.severity != "info" else ("" if finding.p_value is not None else "too few")
    style = _STYLES[finding.severity]
    table.add_row(finding.name, "no sway", measured, limit, str(one.n), Text(verdict, style=style))
