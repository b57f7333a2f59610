"""`rewardsmith annotate link`: an access link for a rater, printed once."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from rewardsmith.cli.annotate.options import Database, Project, annotate_extra
from rewardsmith.cli.options import Json
from rewardsmith.cli.output import print_json


def link(
    project: Project,
    rater: Annotated[str, typer.Argument(help="Name of the rater; a new one is added.")],
    db: Database,
    role: Annotated[
        Literal["rater", "adjudicator", "owner"] | None,
        typer.Option("--role", help="An adjudicator decides disputes too, an owner sees everything; rater if absent."),
    ] = None,
    days: Annotated[int, typer.Option("--days", help="How long the link opens the project.", min=1)] = 14,
    url: Annotated[str, typer.Option("--url", help="Where raters reach the server.")] = "http://127.0.0.1:8100",
    revoke: Annotated[
        bool, typer.Option("--revoke", help="End all links and sessions of the rater, and make none.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make an access link. The store keeps its digest only, so what is printed here is nowhere else.

    Whoever has the link labels in the rater's name: send it as you would a password.
    """
    with annotate_extra():
        from rewardsmith.pipeline.annotate.link import make_link, revoke_links

    if revoke:
        known = revoke_links(db, project, rater)
        shown = {"project": project, "rater": known.name, "role": known.role, "revoked": True}
    else:
        shown = make_link(db, project, rater, role=role, days=days, url=url)
    if as_json:
        print_json(shown)
    else:
        print(shown.get("url", f"the links of {rater} are revoked"))
