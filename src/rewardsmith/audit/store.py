"""Evaluations and audits on disk."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from rewardsmith.audit.audit import Audit
from rewardsmith.audit.audit import as_json as audit_json
from rewardsmith.audit.benchmarks.store import KIND as BENCHMARK_KIND
from rewardsmith.audit.benchmarks.store import RESULT_NAME as BENCHMARK_NAME
from rewardsmith.audit.evaluation import Evaluation, PairScore, as_json, to_json
from rewardsmith.audit.report.audit import render_audit
from rewardsmith.audit.report.evaluation import Context, render_report
from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.finding import Estimate, Finding
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import artefact_kind, verify_artefact, write_json, write_text, writing_artefact

KIND = "evaluation"
AUDIT_KIND = "audit"
FINDINGS_NAMES: Mapping[str, str] = {KIND: "report.json", AUDIT_KIND: "audit.json"}
"""What was measured on held-out pairs: kind of artefact → the file that holds it."""

PRESSURE_KIND = "pressure"
PRESSURE_NAME = "pressure.json"

_FINDINGS_NAMES: Mapping[str, str] = {
    **FINDINGS_NAMES,
    BENCHMARK_KIND: BENCHMARK_NAME,
    PRESSURE_KIND: PRESSURE_NAME,
}
"""Kinds of artefact that hold findings → the file that holds them."""


def write_evaluation(evaluation: Evaluation, out: Path, *, context: Context | None = None) -> Manifest:
    """Write `report.html`, `report.md`, `report.json`, `scores.jsonl` and `manifest.json`, all or nothing.

    Raises:
        ArtefactError: `out` holds something that is not an evaluation.
    """
    context = context or Context()
    report = render_report(evaluation, context)
    with writing_artefact(out, _manifest(KIND, evaluation, context)) as draft:
        write_text(draft.folder / "report.html", report.html)
        write_text(draft.folder / "report.md", report.markdown)
        write_json(draft.folder / FINDINGS_NAMES[KIND], as_json(evaluation))
        write_text(draft.folder / "scores.jsonl", _lines(evaluation.pairs))
    return draft.manifest


def write_audit(audit: Audit, out: Path, *, context: Context | None = None) -> Manifest:
    """Write `report.html`, `report.md`, `audit.json`, `scores.jsonl` and `manifest.json`, all or nothing.

    Raises:
        ArtefactError: `out` holds something that is not an audit.
    """
    context = context or Context()
    report = render_audit(audit, context)
    manifest = _manifest(AUDIT_KIND, audit.evaluation, context)
    manifest = manifest.model_copy(update={"counts": {**manifest.counts, "texts": to_json(audit.texts)}})
    with writing_artefact(out, manifest) as draft:
        write_text(draft.folder / "report.html", report.html)
        write_text(draft.folder / "report.md", report.markdown)
        write_json(draft.folder / FINDINGS_NAMES[AUDIT_KIND], audit_json(audit))
        write_text(draft.folder / "scores.jsonl", _lines(audit.evaluation.pairs))
    return draft.manifest


def load_findings(folder: Path) -> tuple[Finding, ...]:
    """The findings of an audit, an evaluation, a benchmark or a pressure run, as they were written.

    What was no number is NaN again.

    Raises:
        ArtefactError: The folder is none of them, a file of it has changed, or the findings cannot be read.
    """
    kind = _kind(folder)
    verify_artefact(folder, kind)
    path = folder / _FINDINGS_NAMES[kind]
    try:
        values = json.loads(path.read_text("utf-8"))["findings"]
        return tuple(_finding(value) for value in values)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtefactError("unreadable findings", got=error, where=str(path), fix="make the artefact again") from error


def _kind(folder: Path) -> str:
    """Audit, evaluation, benchmark or pressure run; the error names what the folder is instead."""
    wanted, fix = "an audit, an evaluation, a benchmark or a pressure run", "run `rewardsmith audit … --out FOLDER`"
    try:
        kind = artefact_kind(folder)
    except ArtefactError as error:
        raise ArtefactError(error.problem, wanted=wanted, got=error.got, where=str(folder), fix=fix) from error
    if kind not in _FINDINGS_NAMES:
        raise ArtefactError("wrong kind of artefact", wanted=wanted, got=kind, where=str(folder), fix=fix)
    return kind


def _finding(value: Mapping[str, Any]) -> Finding:
    estimate: dict[str, Any] = {name: math.nan if one is None else one for name, one in value["estimate"].items()}
    return Finding(**{**value, "estimate": Estimate(**estimate), "examples": tuple(value["examples"])})


def _manifest(kind: str, evaluation: Evaluation, context: Context) -> Manifest:
    return Manifest(
        kind=kind,
        config={"name": context.name, "recipe": to_json(dict(context.recipe))},
        seed=evaluation.seed,
        parents={**context.parents, "model": evaluation.provenance.model_digest},
        counts={
            **to_json(evaluation.counts),
            "label_ties": evaluation.accuracy.label_ties,
            "reward_ties": evaluation.accuracy.reward_ties,
            "unscored": evaluation.accuracy.unscored,
            "findings": {
                severity: sum(finding.severity == severity for finding in evaluation.findings)
                for severity in ("critical", "warning", "info")
            },
        },
    )


def _lines(pairs: Sequence[PairScore]) -> str:
    return "".join(orjson.dumps(to_json(pair)).decode() + "\n" for pair in pairs)


def load_training_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a `training_log.jsonl`.

    Raises:
        ArtefactError: It cannot be read, or a line is not a JSON object.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ArtefactError("cannot read the training log", got=error, where=str(path)) from error
    return [_read_line(line, f"{path}:{number}") for number, line in enumerate(lines, start=1) if line.strip()]


def _read_line(line: str, where: str) -> dict[str, Any]:
    try:
        # json and not orjson: a loss that went wrong was written as NaN.
        value = json.loads(line)
    except ValueError as error:
        raise ArtefactError("not JSON", got=line, where=where, fix="train again") from error
    if not isinstance(value, dict):
        raise ArtefactError("not a line of a training log", wanted="a JSON object", got=line, where=where)
    return value
