"""`rewardsmith export`: a reward model as one portable file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from rewardsmith.cli.options import Json, Out
from rewardsmith.cli.output import console, key_table, print_json, print_table

if TYPE_CHECKING:
    from rewardsmith.pipeline.export import Comparison, Export

_MIB = 1 << 20


def export(
    model: Annotated[str, typer.Argument(help="Checkpoint folder or hub id of a single reward model.")],
    out: Out,
    kind: Annotated[str, typer.Option("--format", help="`torchscript`, `onnx` or `int8` (ONNX in eight bits).")],
    pairs: Annotated[
        str | None,
        typer.Option("--pairs", help="Measure on these: a prepared folder or a file of pairs; else the built-in ones."),
    ] = None,
    max_flips: Annotated[
        float, typer.Option("--max-flips", help="Largest share of the pairs whose order may change.")
    ] = 0.01,
    max_preferences: Annotated[
        int, typer.Option("--max-preferences", help="Measure on at most so many, drawn where there are more.")
    ] = 500,
    force: Annotated[bool, typer.Option("--force", help="Write an export that is not good, too.")] = False,
    layout: Annotated[str | None, typer.Option("--layout", help="Layout of the pair file.")] = None,
    rating: Annotated[str | None, typer.Option("--rating", help="Rated rows: the attribute to compare by.")] = None,
    as_json: Json = False,
) -> None:
    """Export a model to run without transformers, with the measured error of its rewards and of their order beside it.

    The exit code is 0, or 9 where too many pairs change their order: then nothing is written, unless with --force.
    """
    from rewardsmith.core.settings import parse_settings
    from rewardsmith.pipeline.export import ExportSettings, export_model
    from rewardsmith.pipeline.export import as_json as export_json

    values = {"format": kind, "max_flips": max_flips, "max_preferences": max_preferences, "force": force}
    settings = parse_settings(ExportSettings, values, where="export")
    done = export_model(model, out, settings=settings, pairs=pairs, source={"layout": layout, "rating": rating})
    if as_json:
        print_json(export_json(done))
    else:
        print_table(_table(done))
        console().print(_verdict(done, out), soft_wrap=True)
    raise typer.Exit(done.exit_code)


def _table(export: Export) -> Table:
    shown = _figures(export.measured) | {
        "size": f"{export.bytes / _MIB:,.0f} MiB of {export.source_bytes / _MIB:,.0f}",
    }
    if export.bf16 is not None:
        shown |= {f"the model itself in bf16: {name}": value for name, value in _figures(export.bf16).items()}
    return key_table(f"Exported as {export.format}", shown)


def _figures(compared: Comparison) -> dict[str, str]:
    change, speed = compared.change, compared.speed
    return {
        "pairs whose order changes": str(change.flips),
        "pair accuracy before": str(change.accuracy_before),
        "pair accuracy after": str(change.accuracy_after),
        "difference, paired": str(change.accuracy_change),
        "error of a reward, mean and largest": f"{change.mean_error_sd:.4f} and {change.max_error_sd:.4f} SD",
        "speed against float32": f"{speed.ratio:.2f} [{speed.low:.2f}, {speed.high:.2f}] (rounds={speed.rounds})",
    }


def _verdict(export: Export, out: Path) -> str:
    if export.good:
        return f"Good: {out}"
    change = export.measured.change
    if change.unscored:
        why = f"{change.unscored} conversations have no finite reward"
    else:
        why = f"{change.flips.value:.1%} of the pairs change their order, and {export.max_flips:.1%} may"
    return f"Not good: {why}. " + (f"Written all the same: {out}" if export.written else "Nothing is written.")
