"""`rewardsmith annotate add`: tasks from files, samples of a policy or served traffic."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from rewardsmith.cli.annotate.options import Database, Project, annotate_extra
from rewardsmith.cli.options import Json
from rewardsmith.cli.output import console, print_json, print_table


def add(
    project: Project,
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Files, folders, hub ids, samples, a traffic log.")
    ],
    db: Database,
    gold: Annotated[
        bool, typer.Option("--gold", help="The labels of these files are right: their tasks test raters.")
    ] = False,
    origin: Annotated[
        Literal["auto", "preferences", "samples", "traffic"] | None,
        typer.Option("--from", help="What the files hold; found by looking where absent."),
    ] = None,
    layout: Annotated[str | None, typer.Option("--layout", help="Layout of the rows; found where absent.")] = None,
    rating: Annotated[
        str | None, typer.Option("--rating", help="Rated rows, with --gold: the rating that says what is better.")
    ] = None,
    split: Annotated[str | None, typer.Option("--split", help="Hub data: for example `test[:10%]`.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the source, for figures by source.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="Most tasks a path, drawn by content.", min=1)] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any other key: `pairs_a_prompt=3`, `splitting=paragraphs`."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Add tasks to a project. The same file added twice adds nothing; what is left out is counted by its reason."""
    with annotate_extra():
        from rewardsmith.annotate.sources.settings import AddSettings
        from rewardsmith.pipeline.annotate.add import add as add_tasks
    from rewardsmith.core.settings import override, parse_settings

    reading = {"layout": layout, "rating": rating, "split": split, "name": name}
    said: dict[str, Any] = {
        "gold": gold,
        "origin": origin,
        "limit": limit,
        "reading": {key: value for key, value in reading.items() if value is not None},
    }
    given = {key: value for key, value in said.items() if value is not None}
    settings = parse_settings(AddSettings, override(given, assignments or ()), where="annotate add")
    added = add_tasks(db, project, paths, settings=settings)
    if as_json:
        print_json(added)
        return
    tests = f", {added['gold']} of them with a known answer" if added["gold"] else ""
    console().print(Text(f"{added['new']} new tasks in {project}, {added['known']} known before{tests}"))
    if added["left"]:
        print_table(_left_table(added["left"]))


def _left_table(left: list[dict[str, Any]]) -> Table:
    table = Table(title="Left out", title_justify="left")
    for column in ("reason", "count", "first at", "because"):
        table.add_column(column, justify="right" if column == "count" else "left")
    for each in left:
        table.add_row(each["reason"], str(each["count"]), Text(each["where"]), Text(each["because"]))
    return table
