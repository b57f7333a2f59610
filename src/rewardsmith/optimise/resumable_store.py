"""Lines that a long run writes down as it goes, and finds again after it was killed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rewardsmith.core.digest import digest_json
from rewardsmith.core.full_disk import telling_full_disk
from rewardsmith.core.locked import locked
from rewardsmith.core.store import write_json

_JOB_NAME = "job.json"
_LINES_NAME = "lines.jsonl"


class ResumableLines:
    """The lines of a run so far; see `resuming`.

    Attributes:
        path: The file.
        known: Lines that an earlier run left.
    """

    def __init__(self, path: Path, known: int) -> None:
        self.path = path
        self.known = known

    def add(self, lines: Sequence[bytes]) -> None:
        """Append lines, each with its end; on disk when this returns.

        Raises:
            FullDiskError: There is no room.
        """
        with telling_full_disk(self.path), self.path.open("ab") as stream:
            stream.write(b"".join(lines))
            stream.flush()
            os.fsync(stream.fileno())


@contextlib.contextmanager
def resuming(out: Path, job: Mapping[str, Any], *, chunk: int = 1) -> Iterator[ResumableLines]:
    """The lines of the run that writes `out`, in a folder beside it.

    What an earlier run of the same job left is kept, in whole chunks of lines: a torn line, and the others of its
    chunk, go. That of another job goes altogether. The folder stays until `done` removes it.

    Args:
        out: Where the result will be.
        job: All that decides the lines, as JSON.
        chunk: Lines that are always added together, so that a resumed run computes the same things side by side.

    Raises:
        ArtefactError: Another process writes the same result.
    """
    folder = _folder(out)
    with locked(folder):
        yield _opened(folder, digest_json(job), chunk)


def done(out: Path) -> None:
    """Remove what `resuming` kept for `out`, once that is there."""
    shutil.rmtree(_folder(out), ignore_errors=True)


def _folder(out: Path) -> Path:
    return out.with_name(f"{out.name}.unfinished")


def _opened(folder: Path, job: str, chunk: int) -> ResumableLines:
    path = folder / _LINES_NAME
    if _job_in(folder) != job:
        path.unlink(missing_ok=True)
        write_json(folder / _JOB_NAME, {"job": job})
    known = _cut(path, chunk) if path.is_file() else 0
    return ResumableLines(path, known)


def _job_in(folder: Path) -> str | None:
    try:
        return str(json.loads((folder / _JOB_NAME).read_text("utf-8"))["job"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _cut(path: Path, chunk: int) -> int:
    """Cut the file after its last whole chunk; the lines that stay."""
    ends = [0]
    with path.open("rb") as stream:
        for line in stream:
            if line.endswith(b"\n"):
                ends.append(ends[-1] + len(line))
    known = (len(ends) - 1) // chunk * chunk
    os.truncate(path, ends[known])
    return known
