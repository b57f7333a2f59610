"""`kill -9` at any moment, then the same command: the same artefact as if nothing had happened."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file
from tests.training.run_toy import toy_recipe
from tests.training.toy import without_times, write_base, write_data

from rewardsmith.training.train import train

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120


class Training:
    """A training in a process of its own, started by `toy_server`."""

    def __init__(self, server: subprocess.Popen, base: Path, data: Path, out: Path) -> None:
        assert server.stdin is not None
        assert server.stdout is not None
        self._answers = server.stdout
        self._code: int | None = None
        server.stdin.write(f"{base} {data} {out}\n".encode())
        self._process = int(self._answers.readline())

    def poll(self) -> int | None:
        if self._code is None and select.select([self._answers], [], [], 0)[0]:
            self._code = int(self._answers.readline())
        return self._code

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):  # It may have ended by itself just now.
            os.kill(self._process, signal.SIGKILL)

    def wait(self) -> int:
        if self._code is None:
            self._code = int(self._answers.readline())
        return self._code


@pytest.fixture
def server(tmp_path):
    """Forks a training for each line; unbuffered, so that `select` sees what there is to read."""
    command = [sys.executable, "-m", "tests.training.toy_server"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0}
    with (tmp_path / "stderr").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"}, **pipes)
        yield process
        process.communicate()


def steps(work: Path) -> list[int]:
    return [int(path.name.removeprefix("checkpoint-")) for path in work.glob("*/checkpoint-*")]


def wait_for(condition, process: Training) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not condition() and process.poll() is None:
        assert time.monotonic() < ends
        time.sleep(0.001)


def figures(out: Path) -> list[dict]:
    lines = [json.loads(line) for line in (out / "training_log.jsonl").read_text().splitlines()]
    return [without_times(line) for line in lines]


def test_killed_again_and_again_it_ends_with_the_same_model(tmp_path, server):
    base = write_base(tmp_path / "base")
    data = write_data(tmp_path / "data", base)
    train(toy_recipe(base), data, tmp_path / "whole")

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
        process = Training(server, base, data, out)
        wait_for(moment, process)
        if process.poll() is None:
            process.kill()
            killed += 1
        assert process.wait() in (0, -signal.SIGKILL)
        assert not out.exists() or process.wait() == 0
    assert killed >= 4
    assert Training(server, base, data, out).wait() == 0

    assert figures(out) == figures(tmp_path / "whole")
    first, second = (load_file(folder / "model.safetensors") for folder in (out, tmp_path / "whole"))
    assert all(bool((first[name] == second[name]).all()) for name in first)
    assert not work.exists()
