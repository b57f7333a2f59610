"""`rewardsmith merge`: reward models of different cohorts as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.table import Table

from rewardsmith.cli.options import Json, Out
from rewardsmith.cli.output import print_json, print_table
from rewardsmith.core.errors import SettingsError


def merge(
    models: Annotated[list[str], typer.Argument(metavar="MODEL…", help="Folders of reward models, one a cohort.")],
    cohorts: Annotated[
        list[str],
        typer.Option(
            "--cohort",
            metavar="NAME=PAIRS",
            help="For each model, in the same order: its cohort's name, and pairs that it was not trained on.",
        ),
    ],
    out: Out,
    rule: Annotated[
        str, typer.Option("--rule", help="`standardised`, `log-odds`, `constrained`, `worst-cohort` or `sum`.")
    ] = "standardised",
    objective: Annotated[
        str | None, typer.Option("--objective", metavar="NAME", help="constrained: what is sought; else the first.")
    ] = None,
    limits: Annotated[
        list[str] | None,
        typer.Option("--limit", metavar="NAME=Z", help="constrained: a cohort's threshold, in standard deviations."),
    ] = None,
    strength: Annotated[float, typer.Option(min=0, help="constrained: weight of falling short of a threshold.")] = 4.0,
    one_model: Annotated[
        bool, typer.Option("--one-model", help="standardised: merge heads over one frozen backbone into one model.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Merge models of different cohorts (helpful, harmless) so that the loudest does not win.

    The members are copied into the folder, which scores like any other model.
    """
    from rewardsmith.core.settings import parse_settings
    from rewardsmith.pipeline.merge import MergeSettings, merge_models

    values = {
        "rule": rule,
        "objective": objective,
        "thresholds": {name: _number(name, value) for name, value in _named(limits or (), "--limit").items()},
        "strength": strength,
        "one_model": one_model,
    }
    settings = parse_settings(MergeSettings, values, where="merge")
    manifest = merge_models(models, out, cohorts=_named(cohorts, "--cohort"), settings=settings)
    if as_json:
        print_json(manifest.model_dump(mode="json"))
        return
    print_table(_table(f"Merged by {rule}: {out}", manifest.counts["accuracy"]))


def _table(title: str, accuracy: dict[str, dict[str, Any]]) -> Table:
    """Accuracy on each cohort's pairs, with 95% intervals over prompt groups."""
    table = Table(title=title, title_justify="left")
    table.add_column("pairs of")
    for name in next(iter(accuracy.values())):
        table.add_column(name, justify="right")
    for cohort, found in accuracy.items():
        table.add_row(f"{cohort} (n={next(iter(found.values()))['n']})", *map(_shown, found.values()))
    return table


def _shown(estimate: dict[str, Any]) -> str:
    return f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"


def _named(options: Sequence[str], option: str) -> dict[str, str]:
    named: dict[str, str] = {}
    for text in options:
        name, equals, value = text.partition("=")
        if not (name and equals and value) or name in named:
            raise SettingsError("not a name and a value", wanted=f"{option} NAME=VALUE, each name once", got=text)
        named[name] = value
    return named


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise SettingsError("not a number", got=text, where=f"--limit {name}") from error
