"""`rewardsmith annotate report`: what are the votes worth?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rewardsmith.cli.annotate.options import Database, Project, annotate_extra
from rewardsmith.cli.options import Json
from rewardsmith.cli.output import console, print_json, print_table


def report(
    project: Project,
    db: Database,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Write the report with its pictures here.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Agreement with intervals and by slice, rater by rater, disputes; raters whose votes need a look are named."""
    with annotate_extra():
        from rewardsmith.annotate.quality.tables import tables_of
        from rewardsmith.pipeline.annotate.report import PAGE_NAME, report_project

    quality = report_project(db, project, out=out)
    if as_json:
        print_json(quality.to_dict())
        return
    for table in tables_of(quality):
        print_table(table)
    if out is not None:
        console().print(f"Report: {out / PAGE_NAME}", soft_wrap=True)
