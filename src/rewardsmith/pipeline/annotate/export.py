"""A project's labels as a file that training reads, or the whole project as a file that another store takes."""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import orjson

from rewardsmith.annotate.quality.aggregate import Method
from rewardsmith.annotate.store import open_store
from rewardsmith.annotate.to_preferences import LabelRows, label_rows
from rewardsmith.core.full_disk import telling_full_disk


def export_labels(
    db: str,
    project: str,
    out: Path,
    *,
    method: Method = "majority",
    question: str | None = None,
    judges: bool = False,
    as_pairs: bool = False,
) -> LabelRows:
    """Write the labels as JSON lines to `out` (compressed where it ends in `.gz`); an older file is replaced at once.

    Args:
        db: File or URL of the store.
        method: How several votes become one label.
        question: `overall` or an axis; what is asked first where absent.
        judges: Count judges as raters among others.
        as_pairs: Write rankings as their comparisons.

    Raises:
        DataError: There is no such project or no vote, or the method does not go with its tasks.
    """
    store = open_store(db)
    try:
        votes, tasks = store.votes(project), {task.id: task for task in store.tasks(project)}
    finally:
        store.close()
    origin = None if judges else "human"
    labels = label_rows(votes, tasks, method=method, question=question, origin=origin, as_pairs=as_pairs)
    write_rows(labels.rows, out)
    return labels


def export_all(db: str, project: str, out: Path) -> None:
    """Write everything that the store knows of a project, for `annotate import`.

    Raises:
        DataError: There is no such project.
    """
    from rewardsmith.annotate.exchange import export_project

    store = open_store(db)
    try:
        export_project(store, project, out)
    finally:
        store.close()


def write_rows(rows: Sequence[dict[str, Any]], out: Path) -> None:
    """One JSON object a line; the file appears when it is whole."""
    with telling_full_disk(out), _replacing(out) as stream:
        for row in rows:
            stream.write(orjson.dumps(row) + b"\n")


@contextmanager
def _replacing(out: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".partial-{out.name}-", dir=out.parent)
    try:
        with os.fdopen(handle, "wb") as raw:
            if out.suffix == ".gz":
                # Without name and time, the same labels are the same bytes.
                with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
                    yield packed
            else:
                yield raw
        Path(name).chmod(0o644)
        Path(name).replace(out)
    finally:
        Path(name).unlink(missing_ok=True)
