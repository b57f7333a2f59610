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


def key_table(title: str, values: Mapping[str, object]) -> Table:
    """Two columns: a name and a value."""
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right")
    for name, value in values.items():
        table.add_row(name, str(value))
    return table
