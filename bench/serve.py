"""The server, measured: exactness, speed, and what it survives.

    python bench/serve.py exactness|throughput|latency|prefix|soak|faults|fuzz [--quick] [--out …/serve.json] [options]

Servers listen on 127.0.0.1; every load is bounded in number and in time, and what was started is ended. `--quick` makes
all of it small, prints, and writes nothing unless `--out` is named. What needs data that are not beside the checkout
takes the built-in ones, and says so in its rows. See `serve_exactness`, `serve_speed`, `serve_prefix`, `serve_soak`,
`serve_faults` and `serve_fuzz` for what is measured.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from pathlib import Path

import measure

OUT = measure.ROOT / "bench" / "results" / "serve.json"

COMMANDS = {
    "exactness": ("serve_exactness", "rows"),
    "throughput": ("serve_speed", "throughput"),
    "latency": ("serve_speed", "latency"),
    "prefix": ("serve_prefix", "rows"),
    "soak": ("serve_soak", "rows"),
    "faults": ("serve_faults", "rows"),
    "fuzz": ("serve_fuzz", "rows"),
}
QUICK = {"repeats": 1, "requests": 64, "most_s": 30.0, "minutes": 0.5, "cases": 400}


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
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--requests", type=int, default=512, help="of each run of throughput; half as many by one client"
    )
    parser.add_argument("--most-s", type=float, default=120.0, help="longest load of one run")
    parser.add_argument("--minutes", type=float, default=30.0, help="of the soak")
    parser.add_argument("--cases", type=int, default=20_000, help="of the fuzzing")
    parser.add_argument("--precision", default="auto", help="of prefix")
    parser.add_argument("--only", nargs="+", default=[], help="faults by name")
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
