"""`rewardsmith evaluate`: what is a reward model worth on these pairs?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rewardsmith.cli.options import Cache, Json
from rewardsmith.cli.output import console, print_json, print_table


def evaluate(
    model: Annotated[str, typer.Argument(help="Checkpoint folder or hub id, of this tool or another.")],
    data: Annotated[str, typer.Argument(help="A prepared folder (its held-out side), or any file of pairs.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="Write the report here.")] = None,
    layout: Annotated[str | None, typer.Option("--layout", help="Layout of the pair file.")] = None,
    rating: Annotated[str | None, typer.Option("--rating", help="Rated rows: the attribute to compare by.")] = None,
    split: Annotated[str, typer.Option("--split", help="Hub data: for example `test[:10%]`.")] = "train",
    cache: Cache = None,
    as_json: Json = False,
) -> None:
    """Held-out accuracy beside what trivial scorers get, calibration, shortcuts, and examples to read."""
    from rewardsmith.audit.evaluation import as_json as evaluation_json
    from rewardsmith.audit.report.summary_table import findings_table, summary_table
    from rewardsmith.pipeline.evaluate import evaluate_model

    source = {"layout": layout, "rating": rating, "split": split}
    evaluation = evaluate_model(model, data=data, out=out, source=source, cache=cache)
    if as_json:
        print_json(evaluation_json(evaluation))
        return
    print_table(summary_table(evaluation))
    print_table(findings_table(evaluation))
    if out is not None:
        console().print(f"Report: {out / 'report.html'}", soft_wrap=True)
