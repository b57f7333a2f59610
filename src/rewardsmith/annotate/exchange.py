"""One file that holds a project: every event of it, in order, as JSON lines.

Export, import and export again give the same bytes. Links and sessions stay behind: who may enter is decided anew where
a project goes.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.store import Event, LabelStore
from rewardsmith.annotate.store.events import KINDS, dump
from rewardsmith.core.errors import DataError
from rewardsmith.core.settings import parse_settings
from rewardsmith.core.store import writing_file

_FORMAT = "rewardsmith-annotate-project"
_VERSION = 1
_WANTED = "a file that `rewardsmith annotate export --to all` wrote"


def export_project(store: LabelStore, name: str, path: Path) -> int:
    """Write all events of a project to `path`, compressed where it ends with `.gz`; how many there are.

    The last line has their number and digest, by which an import knows that nothing is missing.

    Raises:
        DataError: There is no such project.
        ArtefactError: The disk is full.
    """
    events = store.events(name)
    with writing_file(path) as stream:
        if path.suffix != ".gz":
            return _write(stream, name, events)
        # Without a name and a time in its head, the same events give the same bytes.
        with gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) as packed:
            return _write(packed, name, events)


def import_project(store: LabelStore, path: Path) -> ProjectSettings:
    """Read the project in `path` into the store.

    The file is read twice: nothing is written before all of it is known to be there.

    Raises:
        DataError: It is no such file, it is cut off or changed, or the store has a project of that name.
    """
    name, settings = _check(path)
    store.restore(settings, _events(path, name))
    return settings


def _write(stream: IO[bytes] | gzip.GzipFile, name: str, events: Iterator[Event]) -> int:
    digest, n_events = hashlib.sha256(), 0
    stream.write(_line({"format": _FORMAT, "version": _VERSION, "project": name}))
    for event in events:
        line = _line(_to_dict(event))
        digest.update(line)
        stream.write(line)
        n_events += 1
    stream.write(_line({"events": n_events, "sha256": digest.hexdigest()}))
    return n_events


def _check(path: Path) -> tuple[str, ProjectSettings]:
    """The project in `path`, once all of the file is seen to be there and as it was written."""
    digest, n_events, last = hashlib.sha256(), 0, b""
    lines = _lines(path)
    head = _parsed(next(lines, b""), path, 1)
    if head.get("format") != _FORMAT or head.get("version") != _VERSION:
        raise _unusable(path, "the first line is another format's", got=head)
    created: dict[str, Any] = {}
    for line in lines:
        if last:
            digest.update(last)
            n_events += 1
        if n_events == 1 and not created:
            created = _parsed(last, path, 2)
        last = line
    foot = _parsed(last, path, n_events + 2)
    if foot != {"events": n_events, "sha256": digest.hexdigest()}:
        raise _unusable(path, "the file is cut off or was changed", got=f"{n_events} events")
    if created.get("kind") != "project_created":
        raise _unusable(path, "the first event is not that of a new project", got=created)
    settings = parse_settings(ProjectSettings, created["payload"]["settings"], where=f"{path}, line 2")
    return settings.name, settings


def _events(path: Path, name: str) -> Iterator[Event]:
    """The events of a file that `_check` has seen."""
    for number, line in enumerate(_lines(path), start=1):
        said = _parsed(line, path, number)
        if "payload" in said:
            yield _event(said, name, f"{path}, line {number}")


def _event(said: dict[str, Any], name: str, where: str) -> Event:
    try:
        event = Event(project=name, **said)
    except TypeError as error:
        raise DataError("not an event", got=said, where=where) from error
    if event.kind not in KINDS:
        raise DataError("unknown kind of event", wanted=", ".join(KINDS), got=event.kind, where=where)
    return event


def _to_dict(event: Event) -> dict[str, Any]:
    return {
        "number": event.number,
        "time": event.time,
        "kind": event.kind,
        "rater": event.rater,
        "task": event.task,
        "vote": event.vote,
        "payload": dict(event.payload),
    }


def _line(value: dict[str, Any]) -> bytes:
    return dump(value).encode("ascii") + b"\n"


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            yield from stream
    except (OSError, EOFError, zlib.error) as error:
        raise _unusable(path, "cannot read the project", got=error) from error


def _parsed(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError as error:
        raise _unusable(path, f"line {number} is not JSON", got=line) from error
    if not isinstance(said, dict):
        raise _unusable(path, f"line {number} is not an object", got=said)
    return said


def _unusable(path: Path, problem: str, *, got: object) -> DataError:
    return DataError(problem, wanted=_WANTED, got=got, where=str(path), fix="export the project again")
