"""`rewardsmith annotate judge`: an LLM judge as a rater among others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rewardsmith.cli.annotate.options import Database, Project, annotate_extra
from rewardsmith.cli.options import Json
from rewardsmith.cli.output import key_table, print_json, print_table


def judge(
    project: Project,
    judge: Annotated[Path, typer.Argument(metavar="JUDGE", help="Folder that `rewardsmith judge --out` wrote.")],
    db: Database,
    name: Annotated[
        str | None, typer.Option("--name", help="What pages call it; its folder's name and a digest where absent.")
    ] = None,
    most: Annotated[
        int | None, typer.Option("--most", help="Tasks that it votes on now, those with human votes first.", min=1)
    ] = None,
    cache: Annotated[
        Path | None, typer.Option("--cache", metavar="FOLDER", help="Keep replies here: nothing is asked twice.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Let a judge vote on the tasks that it has not seen: comparisons in both orders, each vote marked as a judge's.

    Its votes never count into the overlap, and agreement of people is measured without them.
    """
    with annotate_extra():
        from rewardsmith.pipeline.annotate.judge import judge as let_vote

    told = let_vote(db, project, judge, name=name, most=most, cache=cache)
    if as_json:
        print_json(told)
        return
    shown = {
        "votes": f"{told['votes']} ({told['skips']} skipped for want of a verdict)",
        "cannot be judged": told["left"],
        "both orders agree": "–" if told["consistent"] is None else f"{told['consistent']:.1%} of the comparisons",
        "agrees with people": _with_interval(told["others"], percent=True),
        "beyond chance": _with_interval(told["others_beyond"], percent=False),
        "asked": f"{told['usage']['requests']} times ({told['usage']['cached']} known before)",
    }
    print_table(key_table(f"Judge {told['rater']}", shown))


def _with_interval(estimate: dict[str, Any] | None, *, percent: bool) -> str:
    if estimate is None:
        return "no task has a person's vote too"
    shape = "{:.1%}" if percent else "{:.2f}"
    value, low, high = (shape.format(estimate[key]) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}], n = {estimate['n']}"
