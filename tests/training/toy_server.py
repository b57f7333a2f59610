"""Starts toy trainings as processes of their own without importing torch each time: forked from one that has it.

Reads lines of `BASE DATA OUT`; for each writes the process id of the training, then, when it ended, its exit status.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from tests.training.run_toy import toy_recipe

from rewardsmith.training.train import train


def serve() -> None:
    """Until standard input ends."""
    for line in sys.stdin:
        base, data, out = map(Path, line.split())
        process = os.fork()
        if process == 0:
            os._exit(_train(base, data, out))
        print(process, flush=True)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _train(base: Path, data: Path, out: Path) -> int:
    try:
        train(toy_recipe(base), data, out)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    serve()
