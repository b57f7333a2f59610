"""`rewardsmith train`: a preferences artefact to a reward model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rewardsmith.cli.options import Json, Out, RecipeFile, Set
from rewardsmith.cli.output import key_table, plan_table, print_json, print_table


def train(
    data: Annotated[Path, typer.Option("--data", metavar="FOLDER", help="What `rewardsmith data prepare` wrote.")],
    out: Out,
    recipe: RecipeFile = None,
    assignments: Set = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print tokens, steps, expected time and memory, and stop.")
    ] = False,
    resume: Annotated[bool, typer.Option(help="Continue where an interrupted run stopped.")] = True,
    as_json: Json = False,
) -> None:
    """Train a reward model on prepared data.

    The same command continues a training that was interrupted, at any moment, and ends with the same model. A model
    that is there already, whole and from the same recipe and data, is not trained again, unless by --no-resume.
    """
    from rewardsmith.pipeline.load import load_recipe
    from rewardsmith.pipeline.plan import plan_training
    from rewardsmith.pipeline.train import train_recipe

    resolved = load_recipe(recipe, assignments=assignments or ())
    if plan:
        values = plan_training(resolved, data)
        print_json(values) if as_json else print_table(plan_table(values))
        return
    manifest = train_recipe(resolved, data, out, resume=resume)
    if as_json:
        print_json(manifest.model_dump(mode="json"))
        return
    heldout = {f"held-out {name}": value for name, value in manifest.counts.get("heldout", {}).items()}
    rest = {name: value for name, value in manifest.counts.items() if name != "heldout"}
    print_table(key_table(f"Reward model: {out}", rest | heldout))
