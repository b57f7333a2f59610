"""What each event changes in the other tables: the one place where they are written.

An event is applied when it happens, and again when a project is imported; both times the same rows follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from rewardsmith.annotate.store import schema
from rewardsmith.annotate.store.counts import count, judge_dispute
from rewardsmith.annotate.store.erase import erase_rater
from rewardsmith.annotate.store.events import Event, EventKind, dump
from rewardsmith.annotate.store.unit import Unit

_insert_event = insert(schema.events)
_insert_task = insert(schema.tasks)
_insert_rater = insert(schema.raters)
_insert_lease = insert(schema.leases)
_insert_vote = insert(schema.votes)
_insert_guidelines = insert(schema.guidelines)

_set_priority = (
    update(schema.tasks)
    .where(schema.tasks.c.project == bindparam("of"), schema.tasks.c.id == bindparam("task"))
    .values(priority=bindparam("to"), why=bindparam("because"))
)
_use_leases = (
    delete(schema.leases)
    .where(
        schema.leases.c.rater == bindparam("of_rater"),
        schema.leases.c.task == bindparam("of_task"),
        schema.leases.c.adjudication == bindparam("of_adjudication"),
    )
    .returning(schema.leases.c.counts, schema.leases.c.is_open)
)
_find_vote = select(schema.votes).where(
    schema.votes.c.project == bindparam("project"), schema.votes.c.id == bindparam("vote")
)
_undo_vote = (
    update(schema.votes)
    .where(schema.votes.c.project == bindparam("of"), schema.votes.c.id == bindparam("vote"))
    .values(stands=False)
)


def record(
    unit: Unit,
    project: str,
    *,
    kind: EventKind,
    now: float,
    payload: Mapping[str, Any],
    rater: str | None = None,
    task: str | None = None,
    vote: str | None = None,
) -> Event:
    """Append the event to the project's, and let what follows from it follow."""
    state = unit.project(project)
    event = Event(state.n_events + 1, now, project, kind, rater, task, vote, payload)
    append(unit, [event])
    apply(unit, event)
    return event


def append(unit: Unit, events: list[Event]) -> None:
    """Append events of one project, which go on from its last one. What follows from them is for `apply`."""
    if not events:
        return
    rows = [
        {
            "project": event.project,
            "number": event.number,
            "time": event.time,
            "kind": event.kind,
            "rater": event.rater,
            "task": event.task,
            "vote": event.vote,
            "payload": dump(event.payload),
        }
        for event in events
    ]
    unit.write(_insert_event, rows)
    unit.project(events[0].project, is_ready=False).n_events = events[-1].number


def apply(unit: Unit, event: Event) -> None:
    """Write what follows from `event`, which has been appended."""
    match event.kind:
        case "project_created":
            _add_guidelines(unit, event, 1)
        case "guidelines_changed":
            _add_guidelines(unit, event, event.payload["version"])
        case "task_added":
            apply_tasks(unit, [event])
        case "priorities_set":
            _set_priorities(unit, event)
        case "rater_added":
            _add_rater(unit, event)
        case "offered":
            _add_lease(unit, event)
        case "voted":
            _vote(unit, event)
        case "undone":
            _undo(unit, event)
        case "rater_deleted":
            erase_rater(unit, event)


def apply_tasks(unit: Unit, events: list[Event]) -> None:
    """`apply` for many new tasks of one project at once."""
    if not events:
        return
    state = unit.project(events[0].project, is_ready=False)
    rows = []
    for event in events:
        is_test = event.payload["gold"] is not None and state.settings.gold_share > 0
        state.n_open += not is_test
        row = {
            "project": event.project,
            "id": event.task,
            "number": event.number,
            "n_responses": len(event.payload["responses"]),
            "priority": event.payload["priority"],
            "why": dump(event.payload["why"]),
            "is_test": is_test,
            "is_open": not is_test,
            "is_disputed": False,
        }
        rows.append({**row, "votes": 0, "leases": 0, "taken": 0})
    unit.write(_insert_task, rows)


def _add_guidelines(unit: Unit, event: Event, version: int) -> None:
    unit.write(_insert_guidelines, {"project": event.project, "version": version, "number": event.number})
    unit.project(event.project, is_ready=False).guidelines = version


def _set_priorities(unit: Unit, event: Event) -> None:
    rows = [
        {"of": event.project, "task": task, "to": priority, "because": dump(why)}
        for task, (priority, why) in event.payload["priorities"].items()
    ]
    unit.write(_set_priority, rows)


def _add_rater(unit: Unit, event: Event) -> None:
    row = {"id": event.rater, "project": event.project, "number": event.number, **event.payload}
    unit.write(_insert_rater, {**row, "is_deleted": False})


def _add_lease(unit: Unit, event: Event) -> None:
    said = event.payload
    row = {key: said[key] for key in ("guidelines", "expires", "repeat", "gold", "adjudication", "counts")}
    place = {"project": event.project, "number": event.number, "rater": event.rater, "task": event.task}
    unit.write(_insert_lease, {**place, **row, "shown": " ".join(map(str, said["shown"])), "is_open": True})
    if said["counts"]:
        count(unit, event.project, _of(event.task), leases=1)


def _vote(unit: Unit, event: Event) -> None:
    said = event.payload
    place = {"project": event.project, "number": event.number, "rater": event.rater, "task": event.task}
    flags = {key: said[key] for key in ("origin", "repeat", "gold", "adjudication", "counts")}
    is_skip = said["answer"] is None
    unit.write(_insert_vote, {**place, **flags, "id": event.vote, "stands": True, "is_skip": is_skip})
    used = {"of_rater": event.rater, "of_task": event.task, "of_adjudication": said["adjudication"]}
    n_freed = sum(lease.counts and lease.is_open for lease in unit.write(_use_leases, used))
    count(unit, event.project, _of(event.task), votes=int(said["counts"]), leases=-n_freed)
    if said["adjudication"]:
        judge_dispute(unit, event.project, _of(event.task))


def _undo(unit: Unit, event: Event) -> None:
    vote = unit.read(_find_vote, project=event.project, vote=event.vote).one()
    unit.write(_undo_vote, {"of": event.project, "vote": event.vote})
    _add_lease(unit, event)
    count(unit, event.project, _of(event.task), votes=-int(vote.counts))
    if vote.adjudication:
        judge_dispute(unit, event.project, _of(event.task))


def _of(task: str | None) -> str:
    """The task of an event that has one."""
    assert task is not None
    return task
