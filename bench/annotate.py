"""The labelling server, measured.

    python bench/annotate.py load [--quick] [--minutes 5] [--raters 50] [--only sqlite|postgresql] [--out FILE]

`load` puts simulated raters before a server of its own on 127.0.0.1, kills it in the middle and starts it again; see
`annotate_load`. `--quick` makes it small, prints, and writes nothing unless `--out` is named.
"""

from __future__ import annotations

import measure
from command import command_line, main

OUT = measure.ROOT / "bench" / "results" / "annotate.json"

COMMANDS = {"load": ("annotate_load", "rows")}
QUICK = {"minutes": 0.33, "raters": 50}

if __name__ == "__main__":
    parser = command_line(__doc__, COMMANDS, OUT)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--raters", type=int, default=50)
    parser.add_argument("--think-s", type=float, default=1.0, help="mean time between a task and its vote")
    parser.add_argument("--only", choices=["sqlite", "postgresql"], help="both where absent")
    main(parser, COMMANDS, quick=QUICK, out=OUT)
