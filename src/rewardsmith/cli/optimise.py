"""`rewardsmith optimise`: train a policy against a reward model, held near where it began."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from rewardsmith.cli.options import Json, Out
from rewardsmith.cli.output import key_table, print_json, print_table


def optimise(
    method: Annotated[Literal["dpo", "grpo", "rloo", "ppo"], typer.Argument(help="How it is trained.")],
    out: Out,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", metavar="FILE", help="YAML with keys of `OptimiseSettings`.")
    ] = None,
    policy: Annotated[str | None, typer.Option("--policy", help="Model to train: built-in, folder, hub id.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Reward model: folder, hub id, or URL.")] = None,
    prompts: Annotated[str | None, typer.Option("--prompts", metavar="FILE", help="Prompts to train on.")] = None,
    pairs: Annotated[
        str | None, typer.Option("--pairs", metavar="FILE", help="DPO: preferences, or a best-of folder.")
    ] = None,
    verdict: Annotated[
        list[Path] | None, typer.Option("--verdict", metavar="FOLDER", help="What the gate said of the model.")
    ] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key: `training.steps=20`.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a policy by DPO, GRPO, RLOO or PPO; write it with its log, picture and manifest.

    Given the same command again, a killed run goes on from its last checkpoint.
    """
    from rewardsmith.core.settings import override, parse_settings
    from rewardsmith.core.store import load_settings
    from rewardsmith.optimise.settings import OptimiseSettings
    from rewardsmith.pipeline.optimise import optimise as run

    named = {"policy": policy, "reward_model": model, "prompts": prompts, "pairs": pairs}
    base = OptimiseSettings() if recipe is None else load_settings(OptimiseSettings, recipe)
    values = base.model_dump(mode="json") | {name: value for name, value in named.items() if value is not None}
    settings = parse_settings(OptimiseSettings, override(values, assignments or ()), where="optimise")
    manifest = run(method, settings, out, verdicts=verdict or ())
    if as_json:
        print_json(manifest.model_dump(mode="json"))
        return
    print_table(key_table(f"{method.upper()}: {out}", _shown(manifest.counts)))


def _shown(counts: dict[str, Any]) -> dict[str, str]:
    gate = counts["gate"]
    shown = {"steps": f"{counts['steps']:,}", "ended": counts["stopped"] or "as planned"}
    if "kept_step" in counts:
        shown["kept"] = f"the weights of step {counts['kept_step']:,}"
    return shown | {"gate of the reward model": gate["state"]} | ({"!": gate["warning"]} if "warning" in gate else {})
