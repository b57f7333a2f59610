"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        help="Override a key of the recipe; in a list by number: `data.sources.0.path=pairs.jsonl`.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Out = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the result goes.")]
RecipeFile = Annotated[
    Path | None, typer.Argument(metavar="[RECIPE]", help="Recipe file; the built-in recipe where absent.")
]
