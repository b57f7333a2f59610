"""The server, measured: exactness, speed, and what it survives.

    python bench/serve.py exactness|throughput|latency|prefix|soak|faults|fuzz [--quick] [--out …/serve.json] [options]

Servers listen on 127.0.0.1; every load is bounded in number and in time, and what was started is ended. `--quick` makes
all of it small, prints, and writes nothing unless `--out` is named. What needs data that are not beside the checkout
takes the built-in ones, and says so in its rows. See `serve_exactness`, `serve_speed`, `serve_prefix`, `serve_soak`,
`serve_faults` and `serve_fuzz` for what is measured.
"""

from __future__ import annotations

import measure
from command import command_line, main

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


if __name__ == "__main__":
    parser = command_line(__doc__, COMMANDS, OUT)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--requests", type=int, default=512, help="of each run of throughput; half as many by one client"
    )
    parser.add_argument("--most-s", type=float, default=120.0, help="longest load of one run")
    parser.add_argument("--minutes", type=float, default=30.0, help="of the soak")
    parser.add_argument("--cases", type=int, default=20_000, help="of the fuzzing")
    parser.add_argument("--precision", default="auto", help="of prefix")
    parser.add_argument("--only", nargs="+", default=[], help="faults by name")
    main(parser, COMMANDS, quick=QUICK, out=OUT)
