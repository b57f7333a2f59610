"""Lines of a long run, kept over kills."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from rewardsmith.core.errors import ArtefactError
from rewardsmith.optimise.resumable_store import done, resuming


def _add(out: Path, *lines: bytes, job: int = 1, chunk: int = 2) -> tuple[int, bytes]:
    with resuming(out, {"job": job}, chunk=chunk) as found:
        found.add(lines)
        return found.known, found.path.read_bytes()


def test_whole_chunks_stay_and_a_torn_one_goes(tmp_path: Path):
    out = tmp_path / "out"
    assert _add(out, b"1\n", b"2\n", b"3\n", b"4") == (0, b"1\n2\n3\n4")
    # The third line is whole, but its chunk is not.
    assert _add(out, b"5\n", b"6\n") == (2, b"1\n2\n5\n6\n")
    assert _add(out)[0] == 4
    assert _add(out, chunk=3)[0] == 3


def test_another_job_begins_anew(tmp_path: Path):
    out = tmp_path / "out"
    _add(out, b"1\n", b"2\n")
    assert _add(out, b"9\n", b"8\n", job=2) == (0, b"9\n8\n")
    done(out)
    assert list(tmp_path.iterdir()) == []


def test_two_processes_do_not_write_one_output(tmp_path: Path):
    out = tmp_path / "out"
    _add(out)
    handle = os.open(tmp_path / "out.unfinished", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(ArtefactError, match="another process"):
        _add(out)
    os.close(handle)
    assert _add(out) == (0, b"")
