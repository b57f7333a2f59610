"""`rewardsmith benchmark`: a reward model on public benchmarks, by their published rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rewardsmith.cli.options import Cache, Json
from rewardsmith.cli.output import console, print_json, print_table


def benchmark(
    model: Annotated[str, typer.Argument(help="Checkpoint folder or hub id, of this tool or another.")],
    name: Annotated[
        Literal["rewardbench", "rewardbench-2", "rm-bench", "pairs", "best-of-k"],
        typer.Argument(help="Which rules: see docs/benchmarks.md."),
    ],
    data: Annotated[str, typer.Argument(metavar="FILE_OR_HUB_ID", help="Its rows, for example allenai/reward-bench.")],
    out: Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="Write the result here.")] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="Hub data: the benchmark's own split where absent.")
    ] = None,
    subset: Annotated[str | None, typer.Option("--subset", help="Hub data: configuration or folder.")] = None,
    layout: Annotated[str | None, typer.Option("--layout", help="Layout of the rows (`pairs` only).")] = None,
    cache: Cache = None,
    as_json: Json = False,
) -> None:
    """Scores by the published rules, with intervals, beside published scores. Runs on a CPU, in float32."""
    from rewardsmith.audit.benchmarks.report import published_table, result_table
    from rewardsmith.audit.benchmarks.result import as_json as result_json
    from rewardsmith.pipeline.benchmark import run_benchmark

    result = run_benchmark(model, name, data, out=out, split=split, subset=subset, layout=layout, cache=cache)
    if as_json:
        print_json(result_json(result))
        return
    print_table(result_table(result))
    if result.published:
        print_table(published_table(result))
    if out is not None:
        console().print(f"Result: {out / 'benchmark.html'}", soft_wrap=True)
