"""`rewardsmith refresh`: what is asked now, what to label next, and a new model where it is no worse."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rewardsmith.cli.options import Json, Out
from rewardsmith.cli.output import key_table, print_json, print_table


def refresh(
    out: Out,
    incumbent: Annotated[
        str | None, typer.Option("--incumbent", metavar="MODEL", help="Reward model in use: folder (or link), hub id.")
    ] = None,
    traffic: Annotated[
        str | None, typer.Option("--traffic", metavar="LOG", help="Served traffic: a log's folder or file.")
    ] = None,
    samples: Annotated[
        str | None, typer.Option("--samples", metavar="FOLDER", help="Samples of a policy, or a file of candidates.")
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option("--policy", metavar="MODEL", help="Writes responses to --prompts, or second ones to traffic."),
    ] = None,
    prompts: Annotated[str | None, typer.Option("--prompts", metavar="FILE", help="Prompts for --policy.")] = None,
    labels: Annotated[
        str | None, typer.Option("--labels", metavar="FILE", help="Labels that came back: pairs, as in any recipe.")
    ] = None,
    gold: Annotated[
        str | None,
        typer.Option(
            "--gold", metavar="KIND=SOURCE", help="Label by `rubric`, `model`, `ratings` or `labels` instead."
        ),
    ] = None,
    replay: Annotated[
        str | None,
        typer.Option("--replay", metavar="DATA", help="Old labels; what the incumbent was trained on, if absent."),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option("--recipe", metavar="FILE", help="Of the new model; the incumbent's, if absent.")
    ] = None,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", metavar="FILE", help="YAML with keys of `RefreshSettings`.")
    ] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one: `choose.pairs=500`.")
    ] = None,
    current: Annotated[
        Path | None, typer.Option("--current", metavar="LINK", help="Link to the model in use; beside --out if absent.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Drift, what to label next, a new model from the labels, and whether it takes the incumbent's place.

    The first call writes the pairs to label and waits. The same command with --labels goes on: it retrains from the
    incumbent, compares, and promotes or keeps. Interrupted anywhere, the same command goes on. Exit code 9 where the
    new model is shown to be worse somewhere.
    """
    from rewardsmith.core.settings import override, parse_settings
    from rewardsmith.core.store import load_settings
    from rewardsmith.gate.comparison import REGRESSION_EXIT_CODE
    from rewardsmith.pipeline.refresh import refresh as run
    from rewardsmith.pipeline.refresh_learn import load_labels
    from rewardsmith.pipeline.refresh_round import RoundInputs, stored_settings
    from rewardsmith.refresh.settings import RefreshSettings

    settings = None
    if settings_file is not None or assignments:
        base = stored_settings(out) if settings_file is None else load_settings(RefreshSettings, settings_file)
        values = override(base.model_dump(mode="json"), assignments or ())
        settings = parse_settings(RefreshSettings, values, where="refresh")
    inputs = RoundInputs(
        incumbent=incumbent,
        traffic=traffic,
        samples=samples,
        policy=policy,
        prompts=prompts,
        replay=replay,
        recipe=recipe,
    )
    result = run(inputs, out, settings=settings, labels=load_labels(labels, gold), pointer=current)
    if as_json:
        print_json(result.to_dict())
    else:
        print_table(key_table(f"Refresh: {out}", _shown(result.to_dict())))
    if result.decision is not None and result.decision["regressions"]:
        raise typer.Exit(REGRESSION_EXIT_CODE)


def _shown(result: dict[str, Any]) -> dict[str, str]:
    counts = result["counts"]
    asked = counts["to_label"]
    shown = {
        "responses": f"{counts['candidates']['responses']:,} to {counts['candidates']['prompts']:,} prompts",
        "drifted": ", ".join(counts["drift"]["drifted"]) or "nothing",
        "pairs to label": f"{asked['asked']:,} of {asked['considered']:,}: {result['to_label']}",
    }
    if "labels" in counts:
        shown["labels"] = f"{counts['labels']['answered']:,} answered, {counts['labels']['not_asked']:,} others"
    if "mixture" in counts:
        mixture = counts["mixture"]
        shown["trained on"] = f"{mixture['new_train']:,} new and {mixture['old_train']:,} old preferences"
    if result["decision"] is None:
        return shown | {"next": "label them, and give the file back with --labels"}
    return shown | {"decision": result["decision"]["why"], "in use": result["pointer"]}
