"""`rewardsmith compare`: is the candidate worse than the model in use, anywhere?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rewardsmith.cli.options import Cache, Json
from rewardsmith.cli.output import print_json, print_table


def compare(
    candidate: Annotated[str, typer.Argument(help="Checkpoint folder or hub id of the new model.")],
    incumbent: Annotated[str, typer.Argument(help="The same of the model in use.")],
    data: Annotated[str, typer.Argument(help="A prepared folder (its held-out side), or any file of pairs.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="Write the comparison here.")] = None,
    layout: Annotated[str | None, typer.Option("--layout", help="Layout of the pair file.")] = None,
    rating: Annotated[str | None, typer.Option("--rating", help="Rated rows: the attribute to compare by.")] = None,
    split: Annotated[str, typer.Option("--split", help="Hub data: for example `test[:10%]`.")] = "train",
    cache: Cache = None,
    as_json: Json = False,
) -> None:
    """A candidate against the incumbent on the same pairs: overall and by slice, with paired intervals.

    The exit code is 0, or 9 where a regression is shown.
    """
    from rewardsmith.gate.comparison import as_json as comparison_json
    from rewardsmith.gate.tables import comparison_table
    from rewardsmith.pipeline.compare import compare_models

    source = {"layout": layout, "rating": rating, "split": split}
    comparison = compare_models(candidate, incumbent, data=data, out=out, source=source, cache=cache)
    print_json(comparison_json(comparison)) if as_json else print_table(comparison_table(comparison))
    raise typer.Exit(comparison.exit_code)
