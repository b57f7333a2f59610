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
Prompts = Annotated[str | None, typer.Option("--prompts", metavar="FILE", help="Those of the candidates where absent.")]
MaxNewTokens = Annotated[int, typer.Option(min=1, help="Longest response.")]
Seed = Annotated[int, typer.Option(help="Of all draws.")]
KeyEnv = Annotated[
    str | None, typer.Option("--key-env", metavar="NAME", help="Environment variable that holds the endpoint's key.")
]
Truncate = Annotated[bool, typer.Option("--truncate", help="Cut over-long prompts from the left instead of stopping.")]
Cache = Annotated[
    Path | None, typer.Option("--cache", metavar="FOLDER", help="Keep rewards here: no text is scored twice.")
]
