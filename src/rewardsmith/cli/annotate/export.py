"""`rewardsmith annotate export`: labels for training, or the whole project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from rewardsmith.cli.annotate.options import Database, Project, annotate_extra
from rewardsmith.cli.options import Json
from rewardsmith.cli.output import key_table, print_json, print_table
from rewardsmith.core.errors import SettingsError


def export(
    project: Project,
    db: Database,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="JSON lines; compressed where it ends in .gz.")],
    to: Annotated[
        Literal["labels", "all"],
        typer.Option("--to", help="`labels`: rows that `data check` and `train` read. `all`: for `annotate import`."),
    ] = "labels",
    method: Annotated[
        Literal["majority", "dawid-skene", "bradley-terry"],
        typer.Option("--method", help="How several votes become one label."),
    ] = "majority",
    axis: Annotated[
        str | None, typer.Option("--axis", help="For pairs: this axis; the overall vote where absent.")
    ] = None,
    judges: Annotated[bool, typer.Option("--judges", help="Count judges as raters among others.")] = False,
    as_pairs: Annotated[
        bool, typer.Option("--as-pairs", help="Rankings as their comparisons, each with votes and a soft label.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a project's labels, each with its probability and its votes, or everything that is known of it."""
    with annotate_extra():
        from rewardsmith.pipeline.annotate.export import export_all, export_labels

    if to == "all":
        if method != "majority" or axis or judges or as_pairs:
            raise SettingsError(
                "an option of labels with --to all", fix="leave --method, --axis, --judges and --as-pairs out"
            )
        export_all(db, project, out)
        shown: dict[str, Any] = {"project": project, "file": str(out)}
    else:
        labels = export_labels(db, project, out, method=method, question=axis, judges=judges, as_pairs=as_pairs)
        shown = {
            "file": str(out),
            "rows": len(labels.rows),
            "question": labels.question,
            "method": labels.method,
            "tasks": dict(labels.counts),
        }
        if labels.weights:
            shown["raters"] = {rater: round(weight, 4) for rater, weight in labels.weights.items()}
    if as_json:
        print_json(shown)
        return
    print_table(key_table(f"Export of {project}", _flat(shown)))


def _flat(values: dict[str, Any]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in values.items():
        flat |= {f"{name}: {key}": one for key, one in value.items()} if isinstance(value, dict) else {name: value}
    return {name: value for name, value in flat.items() if value != ""}
