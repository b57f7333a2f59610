"""Which task a rater gets next: the queries behind `annotate.assignment`, and the lease that follows."""

from __future__ import annotations

import dataclasses
from typing import Any

from sqlalchemy import CursorResult, Row, and_, bindparam, exists, not_, or_, select

from rewardsmith.annotate.assignment import Candidate, Sort, choose_order, choose_sort, choose_task, draw_lot
from rewardsmith.annotate.store import schema
from rewardsmith.annotate.store.apply import record
from rewardsmith.annotate.store.leases import Lease, lapse, lease_of, lease_payload
from rewardsmith.annotate.store.people import require_rater
from rewardsmith.annotate.store.unit import Unit
from rewardsmith.core.errors import ForbiddenError

_tasks, _leases, _votes = schema.tasks, schema.leases, schema.votes

_MAX_CANDIDATES = 16
"""Among which the lot decides; what is asked first is decided before."""

_MIN_BETWEEN = 8
"""Votes on other tasks before a task may be repeated: sooner, the rater would remember it."""

_own_lease = (
    select(_leases)
    .where(
        _leases.c.rater == bindparam("rater"), _leases.c.is_open, _leases.c.adjudication == bindparam("adjudication")
    )
    .order_by(_leases.c.number.desc())
    .limit(1)
)
_own_votes = _votes.c.rater == bindparam("rater"), _votes.c.task == _tasks.c.id, _votes.c.stands
_is_answered = exists().where(*_own_votes, not_(_votes.c.adjudication))
_choice = _tasks.c.id, _tasks.c.priority, _tasks.c.taken, _tasks.c.n_responses, _tasks.c.is_test
_to_offer = (
    select(*_choice)
    .where(_tasks.c.project == bindparam("project"), not_(_is_answered))
    .order_by(_tasks.c.priority.desc(), _tasks.c.taken, _tasks.c.number)
    .limit(_MAX_CANDIDATES)
)
_new_tasks = _to_offer.where(_tasks.c.is_open)
_tests = _to_offer.where(_tasks.c.is_test)
_has_only_tests = select(not_(exists().where(_tasks.c.project == bindparam("project"), not_(_tasks.c.is_test))))

_answers = _votes.alias("answers")
_repeats = _votes.alias("repeats")
_of_rater = and_(_answers.c.rater == bindparam("rater"), _answers.c.stands)
_is_repeated = exists().where(
    _repeats.c.rater == bindparam("rater"), _repeats.c.task == _answers.c.task, _repeats.c.stands, _repeats.c.repeat
)
_last_but_some = (
    select(_votes.c.number)
    .where(_votes.c.rater == bindparam("rater"), _votes.c.stands)
    .order_by(_votes.c.number.desc())
    .offset(_MIN_BETWEEN)
    .limit(1)
)
_to_repeat = (
    select(*_choice)
    .join(_answers, and_(_answers.c.project == _tasks.c.project, _answers.c.task == _tasks.c.id))
    .where(_of_rater, not_(or_(_answers.c.is_skip, _answers.c.gold, _answers.c.repeat, _answers.c.adjudication)))
    .where(not_(_is_repeated), _answers.c.number <= _last_but_some.scalar_subquery())
    .order_by(_answers.c.number)
    .limit(1)
)

_others_decide = exists().where(
    _leases.c.project == _tasks.c.project, _leases.c.task == _tasks.c.id, _leases.c.is_open, _leases.c.adjudication
)
_is_decided = exists().where(*_own_votes, _votes.c.adjudication)
_to_decide = (
    select(*_choice)
    .where(_tasks.c.project == bindparam("project"), _tasks.c.is_disputed, not_(_others_decide), not_(_is_decided))
    # Who has voted on the task decides it only when nobody else's dispute is left.
    .order_by(_is_answered, _tasks.c.priority.desc(), _tasks.c.number)
    .limit(1)
)


def offer_next(unit: Unit, project: str, rater_id: str, *, now: float) -> Lease | None:
    """Lease the rater's next task to them, or find the lease that they have; `None` where nothing is left.

    Raises:
        DataError: There is no such rater in the project.
    """
    rater = require_rater(unit, project, rater_id)
    lapse(unit, project, now=now)
    own = unit.read(_own_lease, rater=rater_id, adjudication=False).one_or_none()
    if own is not None:
        return lease_of(own)
    found = _find_next(unit, project, rater)
    if found is None:
        return None
    task, sort = found
    return _lease(unit, rater, task=task, now=now, repeat=sort == "repeat")


def offer_dispute(unit: Unit, project: str, rater_id: str, *, now: float) -> Lease | None:
    """Lease a task whose votes disagree to an adjudicator; two adjudicators are never at the same one.

    Raises:
        DataError: There is no such rater in the project.
        ForbiddenError: They are no adjudicator.
    """
    rater = require_rater(unit, project, rater_id)
    if rater.role not in ("adjudicator", "owner"):
        raise ForbiddenError("only adjudicators decide disputes", wanted="adjudicator or owner", got=rater.role)
    lapse(unit, project, now=now)
    own = unit.read(_own_lease, rater=rater_id, adjudication=True).one_or_none()
    if own is not None:
        return lease_of(own)
    found = unit.read(_to_decide, project=project, rater=rater_id).one_or_none()
    return None if found is None else _lease(unit, rater, task=found, now=now, adjudication=True)


def _find_next(unit: Unit, project: str, rater: Row[Any]) -> tuple[Row[Any], Sort] | None:
    """The task to offer: a row of `_choice`."""
    settings = unit.project(project).settings
    place = {"project": project, "rater": rater.id}
    sort_lot, task_lot = _lot(unit, rater, "sort"), _lot(unit, rater, "task")
    if rater.origin == "judge":
        return _chosen(unit.read(_to_offer, **place), task_lot, sort="new")
    sort = choose_sort(sort_lot, gold_share=settings.gold_share, repeat_share=settings.repeat_share)
    # The oldest answers are repeated first: they are best forgotten.
    repeated = unit.read(_to_repeat, rater=rater.id).one_or_none() if sort == "repeat" else None
    if repeated is not None:
        return repeated, "repeat"
    test = _chosen(unit.read(_tests, **place), task_lot, sort="gold") if sort == "gold" else None
    new = test or _chosen(unit.read(_new_tasks, **place), task_lot, sort="new")
    if new is None and unit.read(_has_only_tests, project=project).scalar_one():
        return _chosen(unit.read(_tests, **place), task_lot, sort="gold")
    return new


def _lot(unit: Unit, rater: Row[Any], about: str) -> float:
    """A lot for the offer that may follow now: another one with every event."""
    state = unit.project(rater.project)
    return draw_lot(state.settings.seed, rater.project, rater.id, state.n_events, about)


def _chosen(found: CursorResult[Any], lot: float, *, sort: Sort) -> tuple[Row[Any], Sort] | None:
    rows = {row.id: row for row in found}
    chosen = choose_task([Candidate(row.id, row.priority, row.taken) for row in rows.values()], lot)
    return None if chosen is None else (rows[chosen.task], sort)


def _lease(
    unit: Unit, rater: Row[Any], *, task: Row[Any], now: float, repeat: bool = False, adjudication: bool = False
) -> Lease:
    state = unit.project(rater.project)
    lease = Lease(
        task=task.id,
        shown=choose_order(task.n_responses, _lot(unit, rater, "order")),
        repeat=repeat,
        gold=task.is_test,
        adjudication=adjudication,
        guidelines=state.guidelines,
        expires=now + state.settings.lease_seconds,
    )
    payload = lease_payload(lease, origin=rater.origin)
    event = record(unit, rater.project, kind="offered", now=now, rater=rater.id, task=task.id, payload=payload)
    return dataclasses.replace(lease, number=event.number)
