"""What commands print: JSON for machines, tables for people, both on standard output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table


def print_json(value: Any) -> None:
    """One JSON document."""
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def print_table(table: Table) -> None:
    """A table, as wide as the terminal (120 columns where there is none)."""
    console().print(table)


def console() -> Console:
    """Standard output; wide enough for tables where it is a file or a pipe."""
    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=120)


def plan_table(values: Mapping[str, Any]) -> Table:
    """The plan of a training, with units that people read."""
    v, seconds, memory = values, float(values["seconds"]), float(values["peak_memory_bytes"])
    shown = {
        **({"members": f"{v['members']}, one after the other"} if "members" in v else {}),
        "training preferences": f"{v['preferences']:,} ({v['pairs']:,} pairs, {v['responses']:,} responses)",
        "tokens an epoch": f"{v['tokens']:,} ({v['distinct_tokens']:,} distinct, {v['computed_tokens']:,} computed)",
        "optimiser steps": f"{v['optimiser_steps']:,}",
        "parameters": f"{v['parameters']:,} ({v['trained_parameters']:,} trained)",
        "precision": v["precision"],
        "measured speed": f"{v['tokens_per_s']:,.0f} padded tokens/s",
        "expected time": f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min",
        "expected peak memory": f"{memory / 2**30:.2f} GiB",
    }
    return key_table("Plan", shown)


def key_table(title: str, values: Mapping[str, object]) -> Table:
    """Two columns: a name and a value."""
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right")
    for name, value in values.items():
        table.add_row(name, str(value))
    return table
