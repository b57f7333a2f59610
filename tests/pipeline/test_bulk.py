"""Bulk scoring: several processes, one line a row, and what kills leave."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rewardsmith.core.errors import ArtefactError, DataError, ModelError, OverlengthError, SettingsError
from rewardsmith.pipeline.bulk import ShardWorker, score_in_bulk
from rewardsmith.pipeline.score import read_asked, score_file, source_rows
from rewardsmith.pipeline.shards import write_shards

N_ROWS = 3000


def _write(path: Path, *, n_rows: int, change: dict[int, dict[str, Any]] | None = None) -> None:
    generator = np.random.default_rng(5)
    with path.open("w") as stream:
        for number in range(n_rows):
            texts = ["".join(generator.choice(list("abcdefg "), size=size)) for size in generator.integers(1, 60, 3)]
            row = {"id": f"r{number}", "prompt": texts[0], "responses": texts[1:]}
            stream.write(json.dumps((change or {}).get(number, row)) + "\n")


def _rewards(path: Path) -> tuple[list[str], np.ndarray]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [row["id"] for row in rows], np.array([row["rewards"] for row in rows])


def _assert_same(found: Path, wanted: Path) -> None:
    ids, rewards = _rewards(found)
    wanted_ids, wanted_rewards = _rewards(wanted)
    assert ids == wanted_ids
    # What lies beside a text in a pass may change the last bit of its reward.
    np.testing.assert_allclose(rewards, wanted_rewards, rtol=1e-6, atol=1e-6)


def test_a_worker_gives_errors_as_results(tiny_reward_model: Path, tmp_path: Path) -> None:
    rows, work = tmp_path / "rows.jsonl", tmp_path / "work"
    _write(rows, n_rows=4, change={2: {"id": "long", "prompt": "p", "responses": ["x" * 300, "y"]}})
    write_shards(work, read_asked(source_rows(str(rows))), max_rows=2, keeps_prompts=False)
    job = {"work": str(work), "model": str(tiny_reward_model), "overlength": "raise", "cache": None, "weights": None}
    worker = ShardWorker(job)
    found = worker({"shard": np.array([0, 1])})
    assert (found["shard"], found["known"], found["error"][0]) == ([0, 1], [False, False], b"")
    error = pickle.loads(found["error"][1])
    assert isinstance(error, OverlengthError)
    assert error.where == "rows.jsonl:3"
    assert "at most 200 tokens" in str(error)
    assert worker({"shard": np.array([0])})["known"] == [True]
    nothing = ShardWorker(job | {"model": str(tmp_path)})({"shard": np.array([0])})
    assert isinstance(pickle.loads(nothing["error"][0]), ModelError)


def test_what_cannot_be_is_refused_before_any_process_starts(tiny_reward_model: Path, tmp_path: Path) -> None:
    rows, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    _write(rows, n_rows=3, change={1: {"prompt": "nothing to score"}})
    with pytest.raises(DataError, match=r"rows\.jsonl:2"):
        score_in_bulk(str(tiny_reward_model), str(rows), out=out)
    with pytest.raises(SettingsError, match="nobody to work"):
        score_in_bulk(str(tiny_reward_model), str(rows), out=out, workers=0)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_two_processes_do_not_write_one_output(tiny_reward_model: Path, tmp_path: Path) -> None:
    rows, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    _write(rows, n_rows=3)
    script = (
        "import fcntl, os, sys, time\n"
        "fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)\n"
        "print('locked', flush=True)\ntime.sleep(60)\n"
    )
    work = tmp_path / "out.jsonl.shards"
    work.mkdir()
    other = subprocess.Popen([sys.executable, "-c", script, str(work)], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(ArtefactError, match="another process"):
            score_in_bulk(str(tiny_reward_model), str(rows), out=out)
        assert work.is_dir()
    finally:
        other.kill()
        other.wait()


@pytest.mark.slow
def test_two_workers_give_what_one_process_gives(tiny_reward_model: Path, tmp_path: Path) -> None:
    """The first of two over-long rows is the one that is named, and what was done before it is not done again."""
    rows, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    long = {"prompt": "p", "responses": ["x" * 300, "y"]}
    _write(rows, n_rows=120, change={85: long, 101: long})
    bulk: dict[str, Any] = {"out": out, "workers": 2, "rows_per_shard": 10}
    with pytest.raises(OverlengthError) as refused:
        score_in_bulk(str(tiny_reward_model), str(rows), **bulk)
    with pytest.raises(OverlengthError) as wanted:
        score_file(str(tiny_reward_model), str(rows), out=tmp_path / "whole.jsonl")
    assert str(refused.value) == str(wanted.value)
    assert str(refused.value).startswith("rows.jsonl:86: ")
    assert not out.exists()

    _write(rows, n_rows=120)
    summary = score_in_bulk(str(tiny_reward_model), str(rows), **bulk)
    assert (summary.rows, summary.shards, summary.workers, summary.n_truncated) == (120, 12, 2, 0)
    assert 8 <= summary.known <= 10
    score_file(str(tiny_reward_model), str(rows), out=tmp_path / "whole.jsonl")
    _assert_same(out, tmp_path / "whole.jsonl")
    assert not (tmp_path / "out.jsonl.shards").exists()


@pytest.mark.slow
def test_killed_in_the_middle_it_computes_only_what_is_missing(tiny_reward_model: Path, tmp_path: Path) -> None:
    """First a worker is killed, whose work goes on in another one; then the whole run, which is started again."""
    rows, out, work = tmp_path / "rows.jsonl", tmp_path / "out.jsonl", tmp_path / "out.jsonl.shards"
    _write(rows, n_rows=N_ROWS)
    arguments = ["score", str(tiny_reward_model), str(rows), "--out", str(out), "--engine", "ray", "--workers", "2"]
    # What is killed leaves Ray's folder behind; the path must be short, since sockets lie in it.
    folder = tempfile.TemporaryDirectory(prefix="rs-", ignore_cleanup_errors=True)
    process = subprocess.Popen(
        [sys.executable, "-c", "from rewardsmith.cli.main import main; main()", *arguments],
        env=os.environ | {"TMPDIR": folder.name},
    )
    try:
        _wait(process, lambda: len(_done(work)) >= 1)
        workers = [pid for pid, name in _descendants(process.pid) if name.startswith("ray::MapWorker")]
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        before = len(_done(work))
        _wait(process, lambda: len(_done(work)) >= before + 2)
        scoring = [pid for pid, name in _descendants(process.pid) if name.startswith("ray::MapWorker")]
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not out.exists()
    # Ray's own agents take a minute to notice, and write nothing.
    ends = time.monotonic() + 60
    while any(Path(f"/proc/{pid}/exe").exists() for pid in scoring):
        assert time.monotonic() < ends, "workers outlive the process that started them"
        time.sleep(0.1)
    folder.cleanup()
    kept = {path.name: path.stat().st_mtime_ns for path in _done(work)}
    assert 3 <= len(kept) < 12

    summary = score_in_bulk(str(tiny_reward_model), str(rows), out=out)
    assert (summary.rows, summary.shards, summary.known) == (N_ROWS, 12, len(kept))
    score_file(str(tiny_reward_model), str(rows), out=tmp_path / "whole.jsonl")
    _assert_same(out, tmp_path / "whole.jsonl")


def _done(work: Path) -> list[Path]:
    return list(work.glob("*.done.json"))


def _wait(process: subprocess.Popen[Any], condition: Any) -> None:
    ends = time.monotonic() + 240
    while not condition():
        assert process.poll() is None, "at its end before it could be killed"
        assert time.monotonic() < ends
        time.sleep(0.02)


def _descendants(parent: int) -> list[tuple[int, str]]:
    """Number and command line of each process below `parent`."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text()
            names[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue  # it has ended meanwhile
        parents[int(folder.name)] = int(status.rpartition(")")[2].split()[1])
    found, below = [], {parent}
    while below:
        below = {pid for pid, above in parents.items() if above in below}
        found += [(pid, names[pid]) for pid in below if pid in names]
    return found
