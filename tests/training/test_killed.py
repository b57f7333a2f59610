"""`kill -9` at any moment, then the same command: the same artefact as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file
from tests.training.toy import without_times, write_base, write_data

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120


def start(base: Path, data: Path, out: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.training.run_toy", str(base), str(data), str(out)]
    log = out.with_suffix(".stderr").open("a")
    return subprocess.Popen(command, cwd=ROOT, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"})


def steps(work: Path) -> list[int]:
    return [int(path.name.removeprefix("checkpoint-")) for path in work.glob("*/checkpoint-*")]


def wait_for(condition, process: subprocess.Popen) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not condition() and process.poll() is None:
        assert time.monotonic() < ends
        time.sleep(0.001)


def figures(out: Path) -> list[dict]:
    lines = [json.loads(line) for line in (out / "training_log.jsonl").read_text().splitlines()]
    return [without_times(line) for line in lines]


@pytest.mark.slow
def test_killed_again_and_again_it_ends_with_the_same_model(tmp_path):
    base = write_base(tmp_path / "base")
    data = write_data(tmp_path / "data", base)
    assert start(base, data, tmp_path / "whole").wait() == 0

    out, work = tmp_path / "killed", tmp_path / "killed.work"
    moments = [
        lambda: work.exists(),
        lambda: bool(list(work.glob("*/.partial-save/checkpoint-*"))),
        lambda: any(step >= 10 for step in steps(work)),
        lambda: bool(list(work.glob("*/.partial-save/checkpoint-*/model.safetensors"))),
        lambda: any(step >= 24 for step in steps(work)) and bool(list(work.glob("*/.partial-save/*/optimizer.pt"))),
        lambda: any(step >= 40 for step in steps(work)),
    ]
    killed = 0
    for moment in moments:
        process = start(base, data, out)
        wait_for(moment, process)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.wait()
        assert not out.exists() or process.returncode == 0
    assert killed >= 4
    assert start(base, data, out).wait() == 0

    assert figures(out) == figures(tmp_path / "whole")
    first, second = (load_file(folder / "model.safetensors") for folder in (out, tmp_path / "whole"))
    assert all(bool((first[name] == second[name]).all()) for name in first)
    assert not work.exists()
