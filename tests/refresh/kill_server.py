"""Runs rounds in processes of their own, forked from one that has torch, and kills them.

Reads lines of `INCUMBENT TRAFFIC LABELS OUT STEP`; the round is killed when it reaches that step (`-`: never). For each
line the process id is written, then, when it ended, its exit status.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path

from tests.refresh.loop import inputs, small_settings

from rewardsmith.pipeline.refresh import refresh
from rewardsmith.pipeline.refresh_learn import FileLabels


def serve() -> None:
    """Until standard input ends."""
    for line in sys.stdin:
        incumbent, traffic, labels, out, step = line.split()
        process = os.fork()
        if process == 0:
            os._exit(_round(Path(incumbent), Path(traffic), labels, Path(out), step))
        print(process, flush=True)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _round(incumbent: Path, traffic: Path, labels: str, out: Path, step: str) -> int:
    def on_step(name: str) -> None:
        if name == step:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        refresh(
            inputs(incumbent, traffic),
            out,
            settings=small_settings(),
            labels=FileLabels(labels),
            on_step=on_step,
        )
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    serve()
