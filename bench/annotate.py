"""The labelling server, measured.

    python bench/annotate.py load [--quick] [--minutes 5] [--raters 50] [--only sqlite|postgresql] [--out FILE]

`load` puts simulated raters before a server of its own on 127.0.0.1, kills it in the middle and starts it again; see
`annotate_load`. `--quick` makes it small, prints, and writes nothing unless `--out` is named.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from pathlib import Path

import measure

OUT = measure.ROOT / "bench" / "results" / "annotate.json"

COMMANDS = {"load": ("annotate_load", "rows")}
QUICK = {"minutes": 0.33, "raters": 50}


def main() -> None:
    """Measure, print, write the rows."""
    arguments = _arguments()
    # So that servers are ended too where this is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    module, function = COMMANDS[arguments.what]
    found = getattr(importlib.import_module(module), function)(arguments)
    measure.show(found)
    if arguments.out is not None:
        measure.write_rows(Path(arguments.out), found)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=list(COMMANDS))
    parser.add_argument("--quick", action="store_true", help="a small run that shows that all works")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--raters", type=int, default=50)
    parser.add_argument("--think-s", type=float, default=1.0, help="mean time between a task and its vote")
    parser.add_argument("--only", choices=["sqlite", "postgresql"], help="both where absent")
    parser.add_argument("--out", help=f"{OUT.relative_to(measure.ROOT)} where absent")
    arguments = parser.parse_args()
    if arguments.quick:
        named = {name: value for name, value in vars(arguments).items() if value != parser.get_default(name)}
        parser.set_defaults(**QUICK)
        return argparse.Namespace(**vars(parser.parse_args()) | named)
    arguments.out = arguments.out or str(OUT)
    return arguments


if __name__ == "__main__":
    main()
