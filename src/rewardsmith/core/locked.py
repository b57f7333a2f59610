"""A folder that one process at a time works in."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from rewardsmith.core.errors import ArtefactError
from rewardsmith.core.full_disk import telling_full_disk


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """No other process works in `folder`, which is made where it is missing. The system frees what a killed one held.

    Raises:
        ArtefactError: Another one does.
    """
    with telling_full_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ArtefactError(
                "another process works here", where=str(folder), fix="wait for it, or name another --out"
            ) from error
        yield
    finally:
        os.close(handle)
