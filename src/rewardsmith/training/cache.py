"""Rows of numbers that were computed once: a file that is whole or not there, read through a memory map."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import accelerate
import numpy as np
from jaxtyping import Float32

from rewardsmith.core.full_disk import telling_full_disk
from rewardsmith.core.progress import track

_ROWS_AT_ONCE = 1024
_BYTES = 4


def cached_rows(
    path: Path,
    *,
    rows: int,
    width: int,
    compute: Callable[[range], Float32[np.ndarray, "some width"]],
    label: str = "features of the frozen model",
) -> Float32[np.ndarray, "row width"]:
    """The rows in the file at `path`; where there is none, each is computed first, shared among the processes.

    All processes call this and see the same folder. The file gets its name when every row is on the disk.

    Args:
        compute: Gives the rows of a range.
        label: What they are, for the progress bar.

    Raises:
        ArtefactError: The disk is full.
    """
    state = accelerate.PartialState()
    is_there = path.is_file() and path.stat().st_size == rows * width * _BYTES
    # The file appears behind later barriers, when all processes have looked.
    state.wait_for_everyone()
    if not is_there:
        with telling_full_disk(path.parent):
            _write(path, rows=rows, width=width, compute=compute, label=label, state=state)
    return np.memmap(path, np.float32, mode="r", shape=(rows, width))


def _write(path: Path, *, rows: int, width: int, compute: Callable, label: str, state: accelerate.PartialState) -> None:
    draft = path.with_name(".partial-rows")
    if state.is_main_process:
        draft.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(b"")
    state.wait_for_everyone()
    size = max(1, min(_ROWS_AT_ONCE, -(-rows // state.num_processes)))
    parts = [range(start, min(start + size, rows)) for start in range(0, rows, size)]
    own = parts[state.process_index :: state.num_processes]
    try:
        # Written, not mapped: a full disk is an error of a write, and the end of the process for a map.
        with draft.open("r+b") as stream:
            for part in track(own, label, total=len(own)):
                stream.seek(part.start * width * _BYTES)
                stream.write(np.ascontiguousarray(compute(part), np.float32).tobytes())
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    state.wait_for_everyone()
    if state.is_main_process:
        draft.replace(path)
    state.wait_for_everyone()
