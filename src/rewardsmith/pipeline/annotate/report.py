"""The quality report of a labelling project, read from its store."""

from __future__ import annotations

from pathlib import Path

from rewardsmith.annotate.quality.page import render_html, render_text
from rewardsmith.annotate.quality.report import QualityReport, quality_report
from rewardsmith.annotate.store import open_store
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import write_json, write_text, writing_artefact

KIND = "label-quality"
PAGE_NAME = "report.html"


def report_project(db: str, project: str, *, out: Path | None = None, seed: int = 0) -> QualityReport:
    """What the votes of a project are worth; `report.html`, `report.md` and `report.json` in `out` where that is given.

    Args:
        db: File or URL of the store.
        out: An artefact folder, replaced where it holds an earlier report.

    Raises:
        DataError: There is no such project.
        ArtefactError: `out` holds something else.
    """
    store = open_store(db)
    try:
        settings = store.project(project)
        report = quality_report(
            settings,
            store.votes(project),
            {task.id: task for task in store.tasks(project)},
            raters={rater.id: rater for rater in store.raters(project)},
            seed=seed,
        )
    finally:
        store.close()
    if out is not None:
        write_report(report, out)
    return report


def write_report(report: QualityReport, out: Path) -> Manifest:
    """Write the report as an artefact folder.

    Raises:
        ArtefactError: `out` holds something else.
    """
    manifest = Manifest(kind=KIND, config={"project": report.project}, counts=dict(report.counts))
    with writing_artefact(out, manifest) as draft:
        write_text(draft.folder / PAGE_NAME, render_html(report))
        write_text(draft.folder / "report.md", render_text(report))
        write_json(draft.folder / "report.json", report.to_dict())
    return draft.manifest
