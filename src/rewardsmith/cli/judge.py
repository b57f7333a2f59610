"""`rewardsmith judge`: a language model as a judge, local or behind an endpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from rewardsmith.cli.options import Json, KeyEnv
from rewardsmith.cli.output import key_table, print_json, print_table
from rewardsmith.core.errors import SettingsError

app = typer.Typer(
    help="Make a judge from a language model, local or behind an OpenAI-compatible endpoint, and measure it.",
    invoke_without_command=True,
)


@app.callback()
def make(
    context: typer.Context,
    out: Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="Where the judge goes.")] = None,
    base_url: Annotated[
        str | None, typer.Option("--base-url", metavar="URL", help="Endpoint, for example http://localhost:8000/v1.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="Name of the model at the endpoint.")] = None,
    local: Annotated[
        str | None, typer.Option("--local", metavar="MODEL", help="Instead: a folder, hub id or built-in model.")
    ] = None,
    kind: Annotated[
        Literal["pairwise", "pointwise"], typer.Option("--kind", help="Compare two answers, or rate one.")
    ] = "pointwise",
    key_env: KeyEnv = None,
    rubric: Annotated[
        Path | None, typer.Option("--rubric", metavar="FILE", help="What the judge goes by; a general text if absent.")
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", help="Rounds of critique and revision.", min=0)] = 0,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any other key: `backend.concurrency=4`, `reading=text`."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a folder that `score`, `evaluate`, `benchmark` and `audit` take like any other model. Nothing is asked."""
    if context.invoked_subcommand is not None:
        return
    from rewardsmith.core.settings import override
    from rewardsmith.pipeline.judge import make_judge
    from rewardsmith.scoring.families.judge.settings import parse_judge

    if out is None:
        raise SettingsError("no output folder", wanted="--out FOLDER", where="--out")
    endpoint = {"url": base_url, "model": model, "key_env": key_env, "local": local}
    backend = {name: value for name, value in endpoint.items() if value is not None}
    values: dict[str, Any] = {"kind": kind, "backend": backend, "rounds": rounds}
    if rubric is not None:
        values["rubric"] = _text(rubric)
    settings = parse_judge(override(values, setting or ()), where="judge")
    manifest = make_judge(settings, out=out)
    if as_json:
        print_json(manifest.model_dump(mode="json"))
        return
    print_table(
        key_table(
            f"Judge: {out}", {**backend, "kind": settings.kind, "reads": settings.reads, "rounds": settings.rounds}
        )
    )


@app.command("evaluate")
def evaluate(
    judge: Annotated[Path, typer.Argument(metavar="JUDGE", help="Folder of a judge.")],
    data: Annotated[str, typer.Argument(metavar="PAIRS", help="A prepared folder, or any file of pairs.")],
    most: Annotated[int | None, typer.Option("--most", help="Preferences that are judged.", min=1)] = None,
    layout: Annotated[str | None, typer.Option("--layout", help="Layout of the pair file.")] = None,
    rating: Annotated[str | None, typer.Option("--rating", help="Rated rows: the attribute to compare by.")] = None,
    split: Annotated[str, typer.Option("--split", help="Hub data: for example `test[:10%]`.")] = "train",
    cache: Annotated[
        Path | None, typer.Option("--cache", metavar="FOLDER", help="Keep replies here: nothing is asked twice.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Draws the preferences.")] = 0,
    as_json: Json = False,
) -> None:
    """Agreement with the labels, consistency over the order of the answers, and what it cost, round by round."""
    from rewardsmith.audit.evaluation import to_json
    from rewardsmith.audit.report.judged_table import judged_table
    from rewardsmith.pipeline.judge import evaluate_judge

    source = {"layout": layout, "rating": rating, "split": split}
    judged = evaluate_judge(judge, data=data, source=source, most=most, cache=cache, seed=seed)
    if as_json:
        print_json(to_json(judged))
        return
    print_table(judged_table(judged))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError("cannot read the rubric", wanted="a text file", got=error, where=str(path)) from error
