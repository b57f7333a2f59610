"""Evaluations on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from rewardsmith.audit.evaluation import Evaluation, as_json, to_json
from rewardsmith.audit.report import Context, render_report
from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import write_json, write_text, writing_artefact

KIND = "evaluation"


def write_evaluation(evaluation: Evaluation, out: Path, *, context: Context | None = None) -> Manifest:
    """Write `report.html`, `report.md`, `report.json`, `scores.jsonl` and `manifest.json`, all or nothing.

    Raises:
        ArtefactError: `out` holds something that is not an evaluation.
    """
    context = context or Context()
    counts = evaluation.counts
    manifest = Manifest(
        kind=KIND,
        config={"name": context.name, "recipe": to_json(dict(context.recipe))},
        seed=evaluation.seed,
        parents={**context.parents, "model": evaluation.provenance.model_digest},
        counts={
            **to_json(counts),
            "label_ties": evaluation.accuracy.label_ties,
            "reward_ties": evaluation.accuracy.reward_ties,
            "unscored": evaluation.accuracy.unscored,
            "findings": {
                severity: sum(finding.severity == severity for finding in evaluation.findings)
                for severity in ("critical", "warning", "info")
            },
        },
    )
    report = render_report(evaluation, context)
    with writing_artefact(out, manifest) as draft:
        write_text(draft.folder / "report.html", report.html)
        write_text(draft.folder / "report.md", report.markdown)
        write_json(draft.folder / "report.json", as_json(evaluation))
        write_text(draft.folder / "scores.jsonl", "".join(_line(to_json(pair)) for pair in evaluation.pairs))
    return draft.manifest


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


def _line(value: Mapping[str, Any]) -> str:
    return orjson.dumps(value).decode() + "\n"
