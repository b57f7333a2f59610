"""The command line of benchmarks that start servers: what is measured, `--quick`, `--out`."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import measure


def command_line(said: str | None, commands: Mapping[str, tuple[str, str]], out: Path) -> argparse.ArgumentParser:
    """The parser with what all of them have; each adds its own options.

    Args:
        said: What is measured, for `--help`.
        commands: Name → module and function, which makes rows of the arguments.
        out: Where the rows go, but with `--quick`.
    """
    parser = argparse.ArgumentParser(description=said, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=list(commands))
    parser.add_argument("--quick", action="store_true", help="a small run that shows that all works")
    parser.add_argument("--out", help=f"{out.relative_to(measure.ROOT)} where absent")
    return parser


def main(
    parser: argparse.ArgumentParser, commands: Mapping[str, tuple[str, str]], *, quick: Mapping[str, float], out: Path
) -> None:
    """Measure what is asked, print, write the rows.

    Args:
        quick: Defaults under `--quick`, which writes nothing unless `--out` is named.
    """
    arguments = _parsed(parser, quick, out)
    # So that servers are ended too where this is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    module, function = commands[arguments.what]
    found = getattr(importlib.import_module(module), function)(arguments)
    measure.show(found)
    if arguments.out is not None:
        measure.write_rows(Path(arguments.out), found)


def _parsed(parser: argparse.ArgumentParser, quick: Mapping[str, float], out: Path) -> argparse.Namespace:
    arguments = parser.parse_args()
    if arguments.quick:
        named = {name: value for name, value in vars(arguments).items() if value != parser.get_default(name)}
        parser.set_defaults(**quick)
        return argparse.Namespace(**vars(parser.parse_args()) | named)
    arguments.out = arguments.out or str(out)
    return arguments
