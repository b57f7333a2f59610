"""`rewardsmith annotate import`: a project from the file that `export --to all` wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rewardsmith.cli.annotate.options import Database, annotate_extra
from rewardsmith.cli.options import Json
from rewardsmith.cli.output import key_table, print_json, print_table


def import_project(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="What `export --to all` wrote: .jsonl or .jsonl.gz.")],
    db: Database,
    as_json: Json = False,
) -> None:
    """Make a project of a file: tasks, votes and everything that happened, as it was. Links are made anew."""
    with annotate_extra():
        from rewardsmith.pipeline.annotate.import_project import import_project as read

    found = read(db, path)
    if as_json:
        print_json(found)
    else:
        print_table(key_table(f"Project {found['project']}", found))
