"""Events: everything that ever happened in a project, in order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import Engine, Row, bindparam, select

from rewardsmith.annotate.store import schema

EventKind = Literal[
    "project_created",
    "guidelines_changed",
    "task_added",
    "priorities_set",
    "rater_added",
    "offered",
    "voted",
    "undone",
    "rater_deleted",
]
KINDS: tuple[EventKind, ...] = get_args(EventKind)

_PAGE = 1000

_read_page = (
    select(schema.events)
    .where(schema.events.c.project == bindparam("project"), schema.events.c.number > bindparam("after"))
    .order_by(schema.events.c.number)
    .limit(_PAGE)
)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        number: From 1, without gaps, in its project.
        time: Seconds since 1970.
        project: Name of the project.
        kind: What happened.
        rater: Id of who did it, or whom it was done to.
        task: Id of the task.
        vote: Id of the vote.
        payload: The rest, as JSON has it.
    """

    number: int
    time: float
    project: str
    kind: EventKind
    rater: str | None
    task: str | None
    vote: str | None
    payload: Mapping[str, Any]


def dump(payload: Mapping[str, Any] | str) -> str:
    """JSON in ASCII on one line; the same value gives the same bytes."""
    return json.dumps(payload, separators=(",", ":"), allow_nan=False)


def event_of(row: Row[Any]) -> Event:
    """The event in a row of the table."""
    return Event(row.number, row.time, row.project, row.kind, row.rater, row.task, row.vote, json.loads(row.payload))


def read_events(engine: Engine, project: str, *, after: int = 0) -> Iterator[Event]:
    """The events from number `after` + 1 on, a page at a time: who reads slowly holds nobody up."""
    while True:
        with engine.connect() as connection:
            rows = connection.execute(_read_page, {"project": project, "after": after}).all()
        yield from map(event_of, rows)
        if len(rows) < _PAGE:
            return
        after = rows[-1].number
