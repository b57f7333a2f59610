"""What a rater sees of a lease: the task, and how much is done and left. One question to the database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, union

from rewardsmith.annotate.store import schema
from rewardsmith.annotate.store.leases import Lease, Offer
from rewardsmith.annotate.store.reading import task_columns, task_of

_tasks, _votes, _projects = schema.tasks, schema.votes, schema.projects
_others = _tasks.alias("others")

_one_task = task_columns().where(_tasks.c.project == bindparam("project"), _tasks.c.id == bindparam("task"))
_own_votes = _votes.c.rater == bindparam("rater"), _votes.c.stands
_n_done = select(func.count()).where(*_own_votes, ~_votes.c.is_skip).scalar_subquery()
_n_open = select(_projects.c.n_open).where(_projects.c.name == bindparam("project")).scalar_subquery()
_met = union(
    select(_votes.c.task).where(*_own_votes, ~_votes.c.adjudication),
    select(bindparam("task", type_=_tasks.c.id.type)),
).subquery("met")
_is_met = (_others.c.project == bindparam("project")) & (_others.c.id == _met.c.task)
_n_met_and_open = (
    select(func.count()).select_from(_met.join(_others, _is_met)).where(_others.c.is_open).scalar_subquery()
)
_n_disputed = (
    select(func.count()).where(_others.c.project == bindparam("project"), _others.c.is_disputed).scalar_subquery()
)

_with_counts = _one_task.add_columns(_n_done.label("done"), (_n_open - _n_met_and_open).label("waiting"))
_with_disputes = _one_task.add_columns(_n_done.label("done"), (_n_disputed - 1).label("waiting"))


def load_offer(connection: Connection, project: str, rater_id: str, *, lease: Lease) -> Offer:
    """The offer of a lease."""
    query = _with_disputes if lease.adjudication else _with_counts
    row: Row[Any] = connection.execute(query, {"project": project, "rater": rater_id, "task": lease.task}).one()
    return Offer(
        task=task_of(row),
        shown=lease.shown,
        repeat=lease.repeat,
        gold=lease.gold,
        expires=lease.expires,
        guidelines=lease.guidelines,
        done=row.done,
        waiting=max(0, row.waiting),
        adjudication=lease.adjudication,
        number=lease.number,
    )
