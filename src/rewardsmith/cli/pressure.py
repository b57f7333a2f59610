"""`rewardsmith pressure`: how far may a policy follow this reward model?"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import typer

from rewardsmith.cli.options import Json, KeyEnv, MaxNewTokens, Out, Prompts, Seed, Truncate
from rewardsmith.cli.output import console, key_table, print_json, print_table


def pressure(
    model: Annotated[str, typer.Argument(help="Reward model: folder, hub id, or URL of a server.")],
    policy: Annotated[
        str,
        typer.Option(
            "--policy",
            help="The initial policy: a language model, an endpoint (`http://host/v1#model`), a folder of samples, or a"
            " file of candidates.",
        ),
    ],
    gold: Annotated[
        Literal["rubric", "model", "ratings", "labels"], typer.Option("--gold", help="What responses are worth.")
    ],
    gold_source: Annotated[
        str, typer.Option("--gold-source", metavar="SOURCE", help="File, built-in set, or reward model of the gold.")
    ],
    out: Out,
    prompts: Prompts = None,
    rating: Annotated[str | None, typer.Option("--rating", help="Of several ratings in a file, the one.")] = None,
    checkpoint: Annotated[
        list[str] | None,
        typer.Option("--checkpoint", metavar="POLICY", help="Trained against the reward; may be given again."),
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Responses a prompt; the largest n of best-of-n.")] = 64,
    checkpoint_n: Annotated[int, typer.Option(min=1, help="Responses a prompt of a checkpoint.")] = 8,
    max_new_tokens: MaxNewTokens = 64,
    seed: Seed = 0,
    key_env: KeyEnv = None,
    truncate: Truncate = False,
    as_json: Json = False,
) -> None:
    """Reward and gold against KL, for best-of-n and for trained policies, and the KL budget that follows.

    Samples are written down as they are drawn: a killed run goes on where it was, given the same command again.
    """
    from rewardsmith.audit.store import PRESSURE_NAME
    from rewardsmith.core.settings import parse_settings
    from rewardsmith.pipeline.pressure import PressureSettings, pressure_model

    values = {
        "gold": {"kind": gold, "source": gold_source, "rating": rating},
        "sampling": {"n": n, "seed": seed, "max_new_tokens": max_new_tokens},
        "checkpoint_n": checkpoint_n,
        "overlength": "truncate" if truncate else "raise",
    }
    settings = parse_settings(PressureSettings, values, where="pressure")
    pressure_model(
        model, policy, out=out, settings=settings, prompts=prompts, checkpoints=checkpoint or (), key_env=key_env
    )
    found = json.loads((out / PRESSURE_NAME).read_text("utf-8"))
    if as_json:
        print_json(found)
        return
    print_table(key_table(f"Pressure: {out}", _shown(found["findings"])))
    console().print(f"Report: {out / 'report.html'}", soft_wrap=True)


def _shown(findings: list[dict[str, Any]]) -> dict[str, str]:
    ordered = sorted(findings, key=lambda each: not each["name"].endswith("budget"))
    return {each["name"]: each["summary"] for each in ordered}
