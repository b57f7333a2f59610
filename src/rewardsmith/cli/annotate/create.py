"""`rewardsmith annotate create`: a labelling project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from rewardsmith.cli.annotate.options import Database, annotate_extra
from rewardsmith.cli.options import Json
from rewardsmith.cli.output import key_table, print_json, print_table
from rewardsmith.core.errors import SettingsError


def create(
    name: Annotated[str, typer.Argument(help="Short name that stands in addresses: small letters, digits, `-`.")],
    db: Database,
    kind: Annotated[
        Literal["pair", "ranking", "attributes", "first_error"], typer.Option("--kind", help="What a task asks.")
    ] = "pair",
    title: Annotated[str | None, typer.Option("--title", help="What pages call it; the name where absent.")] = None,
    guidelines: Annotated[
        Path | None, typer.Option("--guidelines", metavar="FILE", help="What raters are told, Markdown.")
    ] = None,
    axis: Annotated[
        list[str] | None, typer.Option("--axis", help="For pairs: a vote on this too; may be repeated.")
    ] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option("--attribute", metavar="NAME=LOW..HIGH", help="For attributes: a scale; may be repeated."),
    ] = None,
    overlap: Annotated[int | None, typer.Option("--overlap", help="Votes a task; 1 where absent.")] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any other key: `gold_share=0.05`, `rationale=required`."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a project; its tasks come by `annotate add`, its raters by `annotate link`."""
    with annotate_extra():
        from rewardsmith.pipeline.annotate.create import create as make
    from rewardsmith.core.settings import override

    said: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "title": title,
        "guidelines": None if guidelines is None else _text(guidelines),
        "axes": axis,
        "attributes": None if attribute is None else dict(map(_scale, attribute)),
        "overlap": overlap,
    }
    given = {key: value for key, value in said.items() if value is not None}
    project = make(db, override(given, assignments or ()))
    if as_json:
        print_json(project.model_dump(mode="json"))
        return
    shown = project.model_dump(mode="json", exclude={"guidelines"}, exclude_defaults=True)
    print_table(key_table(f"Project {project.name}", shown))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            "cannot read the guidelines", got=error, where=str(path), fix="name a text file in UTF-8"
        ) from error


def _scale(said: str) -> tuple[str, tuple[int, int]]:
    name, _, scale = said.partition("=")
    low, dots, high = scale.partition("..")
    try:
        return name, (int(low), int(high if dots else ""))
    except ValueError as error:
        raise SettingsError(
            "not a scale", wanted="NAME=LOW..HIGH", got=said, where="--attribute", fix="for example helpful=0..4"
        ) from error
