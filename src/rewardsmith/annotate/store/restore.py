"""A project is made again of its events."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from sqlalchemy import bindparam, delete, select, update

from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.store import schema
from rewardsmith.annotate.store.apply import append, apply
from rewardsmith.annotate.store.events import Event
from rewardsmith.annotate.store.projects import CHUNK, insert_project
from rewardsmith.annotate.store.unit import Unit
from rewardsmith.annotate.store.writer import Writer
from rewardsmith.core.errors import DataError

_projects = schema.projects
_find = select(_projects.c.is_ready).where(_projects.c.name == bindparam("name"))
_own_tables = (schema.events, schema.guidelines, schema.tasks, schema.raters, schema.leases, schema.votes)


def restore(writer: Writer, settings: ProjectSettings, events: Iterable[Event]) -> int:
    """Write the events of a project that is not here, and let everything follow from them; how many there were.

    It is written in parts, and is a project when all of it is there. What an interrupted import left is removed by
    the next one.

    Raises:
        DataError: There is a project of that name, or the events do not follow each other.
    """
    name = settings.name
    writer.run(lambda unit: _begin(unit, settings))
    n_events, rest = 0, iter(events)
    while part := list(islice(rest, CHUNK)):
        writer.run(lambda unit, part=part: _go_on(unit, name, part))
        n_events += len(part)
    writer.run(lambda unit: _finish(unit, name))
    return n_events


def _begin(unit: Unit, settings: ProjectSettings) -> None:
    row = unit.read(_find, name=settings.name).one_or_none()
    if row is not None and not row.is_ready:
        for table in _own_tables:
            unit.write(delete(table).where(table.c.project == bindparam("of")), {"of": settings.name})
        unit.write(delete(_projects).where(_projects.c.name == bindparam("of")), {"of": settings.name})
    insert_project(unit, settings, is_ready=False)


def _go_on(unit: Unit, name: str, part: list[Event]) -> None:
    state = unit.project(name, is_ready=False)
    for number, event in enumerate(part, start=state.n_events + 1):
        if event.number != number or event.project != name:
            raise DataError("the events do not follow each other", wanted=f"number {number}", got=event.number)
    append(unit, part)
    for event in part:
        try:
            apply(unit, event)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                "an event is not what its kind says", got=event.payload, where=f"event {event.number}"
            ) from error


def _finish(unit: Unit, name: str) -> None:
    ready = update(_projects).where(_projects.c.name == bindparam("of")).values(is_ready=True)
    unit.write(ready, {"of": name})
