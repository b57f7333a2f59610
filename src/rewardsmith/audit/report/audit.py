"""The report of an audit: that of the evaluation, and the probes and parts in it."""

from __future__ import annotations

import dataclasses

from rewardsmith.audit.audit import Audit
from rewardsmith.audit.evaluation import Evaluation
from rewardsmith.audit.report.evaluation import Context, RenderedReport, data_section, facts_of, reproduce_section
from rewardsmith.audit.report.evidence import evidence_sections
from rewardsmith.audit.report.headline import headline
from rewardsmith.audit.report.probes import probe_sections, slice_section
from rewardsmith.audit.report.reading import reading_section
from rewardsmith.audit.report.summary import summary_sections
from rewardsmith.figures.markdown import render_markdown
from rewardsmith.figures.page import render_page
from rewardsmith.figures.pieces import Section

_NOT_OF_AN_AUDIT = ("Training", "More labels?")


def render_audit(audit: Audit, context: Context | None = None) -> RenderedReport:
    """The report of an audit as HTML and as Markdown; `context` adds where the model came from."""
    context = context or Context()
    title, sections = f"Audit of {context.name}", audit_sections(audit, context)
    subtitle, facts = headline(audit.evaluation), _facts(audit)
    return RenderedReport(
        html=render_page(title, sections, subtitle=subtitle, facts=facts),
        markdown=render_markdown(title, sections, subtitle=subtitle, facts=facts),
    )


def audit_sections(audit: Audit, context: Context) -> tuple[Section, ...]:
    """The conclusion and the findings first, then what is behind them, and the way to repeat it last."""
    plain_words, accuracy, findings = summary_sections(_without_texts(audit))
    intro = f"{len(audit.findings)} checks, worst first. audit.json holds each under its name, with its figure and p."
    return (
        plain_words,
        dataclasses.replace(findings, intro=intro),
        *probe_sections(audit),
        *(section for part in audit.parts for section in part.sections),
        accuracy,
        *slice_section(audit),
        *(section for section in evidence_sections(audit.evaluation) if section.title not in _NOT_OF_AN_AUDIT),
        reading_section(audit.evaluation),
        data_section(audit.evaluation, context),
        reproduce_section(audit.evaluation, context),
    )


def _without_texts(audit: Audit) -> Evaluation:
    """The evaluation, the findings of probes without their texts, which stand in the section of the probes."""
    probes = {result.probe for result in audit.probes} | {contrast.name for contrast in audit.contrasts}
    findings = tuple(
        dataclasses.replace(finding, examples=()) if finding.name in probes else finding for finding in audit.findings
    )
    return dataclasses.replace(audit.evaluation, findings=findings)


def _facts(audit: Audit) -> dict[str, str]:
    tests = sum(finding.p_value is not None for finding in audit.findings)
    return {
        **facts_of(audit.evaluation),
        "probes": f"{len(audit.probes)}, which took {audit.texts.probes:,} of {audit.texts.budget:,} texts allowed",
        "tests": f"{tests}, corrected together (Holm, 5%)",
    }
