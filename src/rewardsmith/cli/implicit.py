"""`rewardsmith implicit`: the reward that a DPO policy implies, as a reward model."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from rewardsmith.cli.options import Json, Out
from rewardsmith.cli.output import key_table, print_json, print_table


def implicit(
    policy: Annotated[str, typer.Argument(help="The trained policy: a folder, a built-in name or a hub id.")],
    reference: Annotated[str, typer.Argument(help="What its training started from.")],
    out: Out,
    beta: Annotated[float, typer.Option(help="The KL price of its training.")] = 0.1,
    normalise: Annotated[
        Literal["none", "per_token"], typer.Option(help="`per_token` divides by the response's tokens.")
    ] = "none",
    as_json: Json = False,
) -> None:
    """Make a reward model of a policy: beta * (log-probability under it - log-probability under its reference).

    The folder names the two models and scores like any other reward model; they must stay where they are.
    """
    from rewardsmith.pipeline.implicit import make_implicit

    manifest = make_implicit(policy, reference, out=out, beta=beta, normalise=normalise)
    if as_json:
        print_json(manifest.model_dump(mode="json"))
        return
    print_table(key_table(f"Implicit reward: {out}", {**manifest.config["implicit"], **manifest.counts}))
