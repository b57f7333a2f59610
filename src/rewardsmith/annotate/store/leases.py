"""Leases: tasks that are kept for raters, and given back when they lapse."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from rewardsmith.annotate.store import schema
from rewardsmith.annotate.store.counts import count
from rewardsmith.annotate.store.unit import Unit
from rewardsmith.annotate.tasks import Task
from rewardsmith.core.errors import DataError

_leases = schema.leases

_BETWEEN_LOOKS_S = 0.5
"""Within one transaction the leases are looked at once; it lasts for a fraction of a second."""

_lapse = (
    update(_leases)
    .where(_leases.c.project == bindparam("of"), _leases.c.is_open, _leases.c.expires <= bindparam("now"))
    .values(is_open=False)
    .returning(_leases.c.task, _leases.c.counts)
)
_events = schema.events
_find_offer = select(_events.c.payload).where(
    _events.c.project == bindparam("project"),
    _events.c.number == bindparam("number"),
    _events.c.rater == bindparam("rater"),
    _events.c.task == bindparam("task"),
    _events.c.kind.in_(["offered", "undone"]),
)


@dataclass(frozen=True, slots=True)
class Lease:
    """A task that is kept for a rater; see `Offer`, which has the task itself."""

    task: str
    shown: tuple[int, ...]
    repeat: bool
    gold: bool
    adjudication: bool
    guidelines: int
    expires: float
    number: int = 0


@dataclass(frozen=True, slots=True)
class Offer:
    """A task for one rater.

    Attributes:
        task: The task; whether it is a test or a repeat is not for the rater's eyes.
        shown: `shown[i]` is the response that stands at place i.
        repeat: The rater has answered it before.
        gold: Its answer is known, and the rater is tested.
        expires: Until when it is kept for the rater, seconds since 1970. A later vote counts, too.
        guidelines: Version in force.
        done: Votes of the rater that stand, without skips.
        waiting: Further tasks that this rater could get now, tests and repeats not counted.
        adjudication: The vote will decide a dispute.
        number: Of the event that offered it: by it a vote says which offer it answers.
    """

    task: Task
    shown: tuple[int, ...]
    repeat: bool
    gold: bool
    expires: float
    guidelines: int
    done: int
    waiting: int
    adjudication: bool = False
    number: int = 0


def lapse(unit: Unit, project: str, *, now: float) -> None:
    """Give back the tasks whose leases are over. The leases stay: a vote that comes late still finds its own."""
    if unit.lapsed.get(project, -math.inf) > now - _BETWEEN_LOOKS_S:
        return
    unit.lapsed[project] = now
    for lease in unit.write(_lapse, {"of": project, "now": now}).all():
        if lease.counts:
            count(unit, project, lease.task, leases=-1)


def lease_of(row: Row[Any]) -> Lease:
    """The lease in a row of their table."""
    shown = tuple(map(int, row.shown.split()))
    return Lease(row.task, shown, row.repeat, row.gold, row.adjudication, row.guidelines, row.expires, row.number)


def load_shown(connection: Connection, project: str, rater_id: str, *, task_id: str, offer: int) -> tuple[int, ...]:
    """In which order an offer showed the responses, whatever has become of its lease.

    Raises:
        DataError: There was no such offer of this task to this rater.
    """
    place = {"project": project, "number": offer, "rater": rater_id, "task": task_id}
    payload = connection.execute(_find_offer, place).scalar_one_or_none()
    if payload is None:
        raise DataError(
            "the task was not offered to this rater", got=task_id, wanted="the task that is on the page", fix="go on"
        )
    return tuple(json.loads(payload)["shown"])


def counts_into_overlap(*, origin: str, repeat: bool, gold: bool, adjudication: bool) -> bool:
    """Whether a vote of this sort is one of those that a task should have."""
    return origin == "human" and not (repeat or gold or adjudication)


def lease_payload(lease: Lease, *, origin: str) -> Mapping[str, Any]:
    """What the event of a lease says."""
    return {
        "shown": list(lease.shown),
        "guidelines": lease.guidelines,
        "expires": lease.expires,
        "repeat": lease.repeat,
        "gold": lease.gold,
        "adjudication": lease.adjudication,
        "counts": counts_into_overlap(
            origin=origin, repeat=lease.repeat, gold=lease.gold, adjudication=lease.adjudication
        ),
    }
