"""`rewardsmith ensemble`: several reward models as one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rewardsmith.cli.options import Json, Out
from rewardsmith.cli.output import key_table, print_json, print_table
from rewardsmith.core.errors import SettingsError


def ensemble(
    models: Annotated[list[str], typer.Argument(metavar="MODEL…", help="Folders of two or more reward models.")],
    out: Out,
    data: Annotated[
        str | None,
        typer.Option(
            "--data", metavar="PAIRS", help="Reference set: a prepared folder (its training side) or any file of pairs."
        ),
    ] = None,
    rule: Annotated[
        str, typer.Option("--rule", help="`mean`, `worst`, or `penalised`: mean - weight * variance.")
    ] = "mean",
    weight: Annotated[float, typer.Option("--weight", help="Weight of the penalty.", min=0)] = 0.5,
    average: Annotated[
        bool, typer.Option("--average", help="Average the weights into one model instead; needs no data.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Combine trained models: rewards on one scale by a rule, or weights into one model.

    The members are copied into the folder, which scores like any other model and also says how far they lie apart.
    """
    from rewardsmith.pipeline.ensemble import average_models, combine_models

    if average:
        manifest = average_models(models, out=out)
    elif data is None:
        raise SettingsError(
            "members have no common scale",
            wanted="--data PAIRS, on which they are standardised",
            where="--data",
            fix="name a prepared folder or a file of pairs",
        )
    else:
        known: Any = rule
        manifest = combine_models(models, data=data, out=out, rule=known, weight=weight)
    if as_json:
        print_json(manifest.model_dump(mode="json"))
        return
    print_table(key_table(f"Ensemble: {out}", {**manifest.config["ensemble"], **manifest.counts}))
