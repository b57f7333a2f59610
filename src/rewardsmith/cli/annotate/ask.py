"""`rewardsmith annotate ask`: what to ask next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from rewardsmith.cli.annotate.options import Database, Project, annotate_extra
from rewardsmith.cli.options import Json
from rewardsmith.cli.output import print_json, print_table

_SHOWN = 20


def ask(
    project: Project,
    db: Database,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="MODEL", help="A reward model, an ensemble or a URL; may be repeated."),
    ] = None,
    by: Annotated[
        Literal["mixed", "disagreement", "margin", "information_gain", "diversity", "random"] | None,
        typer.Option("--by", help="What makes a vote worth having; `mixed` where absent."),
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", help="Tasks that are chosen together; 64 where absent.", min=1)
    ] = None,
    cache: Annotated[Path | None, typer.Option("--cache", metavar="FOLDER", help="Keep rewards here.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of the lot.")] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any other key: `weights.diversity=2`, `closeness=0.9`."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Put the tasks that need votes in order, so that each vote teaches most; raters get them in that order at once.

    Models that disagree say most: name several, or an ensemble. Without a model, tasks that cover the prompts come
    first (`--by diversity`).
    """
    with annotate_extra():
        from rewardsmith.annotate.asking import AskingSettings
        from rewardsmith.pipeline.annotate.ask import ask as put_in_order
    from rewardsmith.core.settings import override, parse_settings

    said: dict[str, Any] = {"by": by, "batch": batch, "seed": seed}
    given = {key: value for key, value in said.items() if value is not None}
    settings = parse_settings(AskingSettings, override(given, assignments or ()), where="annotate ask")
    told = put_in_order(
        db, project, models=model or (), settings=settings, cache=cache, most=None if as_json else _SHOWN
    )
    if as_json:
        print_json(told)
        return
    print_table(_next_table(told))
    print_table(_coverage_table(told["coverage"]))


def _next_table(told: dict[str, Any]) -> Table:
    table = Table(title=f"The first of {told['asked']} tasks, by {told['by']}", title_justify="left")
    for column in ("", "task", "why"):
        table.add_column(column)
    for place, each in enumerate(told["next"], start=1):
        table.add_row(str(place), Text(each["task"]), Text(each["why"]))
    return table


def _coverage_table(regions: list[dict[str, Any]]) -> Table:
    table = Table(title="Regions of prompts", title_justify="left")
    for column in ("region", "state", "tasks", "with votes", "votes", "disputed"):
        table.add_column(column, justify="left" if column in ("region", "state") else "right")
    for each in regions:
        counts = (each["n_tasks"], each["n_voted"], each["n_votes"], each["n_disputed"])
        table.add_row(Text(f"{each['number']} {', '.join(each['words'])}"), each["state"], *map(str, counts))
    return table
