"""`rewardsmith best-of`: of n responses to each prompt, the one that the reward model likes best."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import typer

from rewardsmith.cli.options import Json, KeyEnv, MaxNewTokens, Out, Prompts, Seed, Truncate
from rewardsmith.cli.output import key_table, print_json, print_table


def best_of(
    policy: Annotated[
        str,
        typer.Option(
            "--policy",
            help="A language model (`builtin:smollm2-135m-instruct`, folder, hub id), an endpoint"
            " (`http://host/v1#model`), or a file of candidates.",
        ),
    ],
    model: Annotated[str, typer.Option("--model", help="Reward model: folder, hub id, or URL of a server.")],
    out: Out,
    prompts: Prompts = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Responses a prompt.")] = 16,
    select: Annotated[
        Literal["mean", "worst", "penalised"],
        typer.Option(help="`worst` and `penalised` (mean - weight * variance) need an ensemble."),
    ] = "mean",
    weight: Annotated[float, typer.Option(min=0, help="Of `penalised`.")] = 0.5,
    ties: Annotated[Literal["first", "lot"], typer.Option(help="Which of equal ones is taken.")] = "first",
    max_new_tokens: MaxNewTokens = 64,
    temperature: Annotated[float, typer.Option(min=0, help="1 samples the policy itself.")] = 1.0,
    top_p: Annotated[float, typer.Option(help="Above 0; 1 samples the policy itself.")] = 1.0,
    seed: Seed = 0,
    reference: Annotated[
        str | None, typer.Option("--reference", help="Of a language model: log-probabilities under it are kept too.")
    ] = None,
    key_env: KeyEnv = None,
    truncate: Truncate = False,
    as_json: Json = False,
) -> None:
    """Sample n responses to each prompt, score them, and keep the best with its reward, the mean and all rewards.

    Prompts are written down as they are done: a killed run goes on where it was, given the same command again.
    """
    from rewardsmith.core.settings import parse_settings
    from rewardsmith.optimise.best_of import BestOfSettings
    from rewardsmith.pipeline.best_of import SUMMARY_NAME, best_of_file

    sampling = {"n": n, "seed": seed, "max_new_tokens": max_new_tokens, "temperature": temperature, "top_p": top_p}
    values = {"sampling": sampling, "select": select, "weight": weight, "ties": ties}
    settings = parse_settings(BestOfSettings, values, where="best-of")
    overlength = "truncate" if truncate else "raise"
    best_of_file(
        policy,
        model,
        prompts,
        out=out,
        settings=settings,
        overlength=overlength,
        key_env=key_env,
        reference=reference,
    )
    summary = json.loads((out / SUMMARY_NAME).read_text("utf-8"))
    if as_json:
        print_json(summary)
        return
    print_table(key_table(f"Best of {n}: {out}", _shown(summary)))


def _shown(summary: dict[str, Any]) -> dict[str, str]:
    gain = summary["gain"]
    ends = "" if gain["low"] is None else f" [{gain['low']:.3f}, {gain['high']:.3f}]"
    return {
        "prompts": f"{summary['prompts']:,}",
        "responses": f"{summary['responses']:,} ({summary['repeated']:,} repeated, {summary['unfinished']:,} cut)",
        "reward over the prompt's mean": f"{gain['value']:.3f}{ends}",
        "nats": f"{summary['nats']:.3f}",
        "what they are": summary["note"],
    }
