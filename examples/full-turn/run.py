"""A full turn of the loop on the built-in models: sample, label, train, gate, optimise, label anew, refresh, optimise.

    python examples/full-turn/run.py --out runs/full-turn

Every step is an artefact in the folder, and none is made twice: killed anywhere, the same command goes on.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Parse, run, say where the page is; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/full-turn"), help="folder of the turn")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run? (its figures say nothing)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="policy.training.steps=60")
    parser.add_argument("--results", type=Path, metavar="FILE", help="put two rows into this file of results")
    asked = parser.parse_args()
    if asked.quick and asked.results is not None:
        parser.error("the figures of --quick are no results")
    # Before transformers is imported: what it says while it loads and saves is no news here; its errors are raised.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    warnings.filterwarnings("ignore", category=FutureWarning)
    from results import rows, write_rows
    from settings import TurnSettings
    from steps import Steps
    from summary import write_summary
    from turn import Turn, full_turn

    from rewardsmith.core.errors import RewardsmithError
    from rewardsmith.core.store import load_settings

    try:
        settings = load_settings(TurnSettings, HERE / ("quick.yaml" if asked.quick else "turn.yaml"), asked.set)
        turn = Turn(asked.out, settings, Steps(asked.out, say=lambda line: print(line, flush=True)))
        comparison = full_turn(turn)
        page = write_summary(turn.out, comparison, turn.steps.seconds())
        if asked.results is not None:
            write_rows(rows(comparison, turn.steps.seconds()), asked.results)
    except RewardsmithError as error:
        print(f"full-turn: {error}", file=sys.stderr)
        return error.exit_code
    print(f"The story of this turn: {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
