"""`rewardsmith run`: the main job in one command."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from rewardsmith.cli.options import Json, Out, RecipeFile, Set
from rewardsmith.cli.output import console, key_table, plan_table, print_json, print_table


def run(
    recipe: RecipeFile = None,
    out: Out = Path("runs/default"),
    data: Annotated[
        list[str] | None,
        typer.Option("--data", metavar="PATH", help="File, folder or hub id, in place of the recipe's sources."),
    ] = None,
    assignments: Set = None,
    plan: Annotated[bool, typer.Option("--plan", help="Prepare the data, say what training would cost, stop.")] = False,
    as_json: Json = False,
) -> None:
    """Check and split the data, train a reward model, evaluate it and write the report.

    The same command continues a run that was interrupted.
    """
    # torch and transformers take seconds to import; `--help` should not.
    from rewardsmith.audit.evaluation import as_json as evaluation_json
    from rewardsmith.audit.report.summary_table import findings_table, summary_table
    from rewardsmith.pipeline.load import load_recipe
    from rewardsmith.pipeline.plan import plan_run
    from rewardsmith.pipeline.run import StageResult
    from rewardsmith.pipeline.run import run as run_pipeline

    resolved = load_recipe(recipe, assignments=assignments or (), data=data or ())
    if plan:
        values = plan_run(resolved, out)
        print_json(values) if as_json else print_table(plan_table(values))
        return
    started = time.perf_counter()

    def tell(stage: StageResult) -> None:
        if not as_json:
            how = "is up to date" if stage.reused else f"took {stage.seconds:.0f} s"
            console().print(f"{stage.name:<11} {how:<14} {stage.folder}")

    result = run_pipeline(resolved, out, on_stage=tell)
    if as_json:
        stages = [
            {"name": s.name, "folder": str(s.folder), "seconds": round(s.seconds, 3), "reused": s.reused}
            for s in result.stages
        ]
        found = {"report": str(result.report), "card": str(result.card)} if result.evaluation else {}
        evaluation = {"evaluation": evaluation_json(result.evaluation)} if result.evaluation else {}
        print_json({"stages": stages, "heldout": result.model.counts.get("heldout")} | found | evaluation)
        return
    if result.evaluation is None:
        print_table(key_table(f"Held-out side: {out}/model", result.model.counts.get("heldout", {})))
        console().print(f"Done in {time.perf_counter() - started:.0f} s.", soft_wrap=True)
        return
    print_table(summary_table(result.evaluation))
    print_table(findings_table(result.evaluation))
    console().print(f"Data card: {result.card}", soft_wrap=True)
    console().print(f"Done in {time.perf_counter() - started:.0f} s. Report: {result.report}", soft_wrap=True)
