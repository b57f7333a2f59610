"""A vote is cast, or taken back."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from typing import Any

from sqlalchemy import Row, bindparam, select

from rewardsmith.annotate.answers import answer_to_dict, require_fits
from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.store import schema
from rewardsmith.annotate.store.apply import record
from rewardsmith.annotate.store.leases import Lease, counts_into_overlap, lease_of, lease_payload
from rewardsmith.annotate.store.people import require_rater
from rewardsmith.annotate.store.reading import task_columns, task_of, vote_columns, vote_of
from rewardsmith.annotate.store.unit import Unit
from rewardsmith.annotate.tasks import Task
from rewardsmith.annotate.votes import NewVote, Vote
from rewardsmith.core.errors import DataError

_tasks, _leases, _votes = schema.tasks, schema.leases, schema.votes

_VOTE_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_MAX_RATIONALE_CHARS = 10_000

_find_vote = vote_columns().where(_votes.c.project == bindparam("project"), _votes.c.id == bindparam("vote"))
_find_task = task_columns().where(_tasks.c.project == bindparam("project"), _tasks.c.id == bindparam("task"))
_find_lease = (
    select(_leases)
    .where(_leases.c.project == bindparam("project"), _leases.c.rater == bindparam("rater"))
    .where(_leases.c.task == bindparam("task"), _leases.c.adjudication == bindparam("adjudication"))
    .order_by(_leases.c.number.desc())
    .limit(1)
)
_find_standing = select(_votes.c.id).where(
    _votes.c.rater == bindparam("rater"), _votes.c.task == bindparam("task"), _votes.c.stands
)
_last_vote = (
    vote_columns()
    .where(_votes.c.rater == bindparam("rater"), _votes.c.stands)
    .order_by(_votes.c.number.desc())
    .limit(1)
)


def cast(unit: Unit, project: str, vote: NewVote, *, now: float) -> Vote:
    """Take a vote; one that is known by its id is not taken twice.

    A vote under a lapsed lease counts, even beyond the overlap: nothing that a rater did is thrown away.

    Raises:
        DataError: The answer does not fit, the task was not offered to the rater or is answered already, or the id is
            another vote's.
    """
    settings = unit.project(project).settings
    rater = require_rater(unit, project, vote.rater)
    _require_sound(vote, settings)
    known = unit.read(_find_vote, project=project, vote=vote.id).one_or_none()
    if known is not None:
        return _same(known, vote, settings)
    task, is_test = _task(unit, project, vote.task)
    if vote.answer is not None:
        require_fits(vote.answer, task, settings)
    lease = _lease_for(unit, project, vote, rater=rater, task=task, is_test=is_test)
    payload = _payload(vote, lease, origin=rater.origin)
    event = record(unit, project, kind="voted", now=now, rater=rater.id, task=vote.task, vote=vote.id, payload=payload)
    return Vote(
        id=vote.id,
        project=project,
        task=vote.task,
        rater=rater.id,
        answer=vote.answer,
        shown=tuple(payload["shown"]),
        guidelines=lease.guidelines,
        seconds=vote.seconds,
        time=event.time,
        rationale=vote.rationale,
        repeat=lease.repeat,
        gold=lease.gold,
        origin=rater.origin,
        adjudication=lease.adjudication,
    )


def undo(unit: Unit, project: str, rater_id: str, *, now: float) -> Lease | None:
    """Take back the rater's last vote that stands, and lease its task to them as it was; `None` without a vote.

    Raises:
        DataError: There is no such rater in the project.
    """
    rater = require_rater(unit, project, rater_id)
    state = unit.project(project)
    last = unit.read(_last_vote, rater=rater_id).one_or_none()
    if last is None:
        return None
    lease = Lease(
        task=last.task,
        shown=tuple(json.loads(last.payload)["shown"]),
        repeat=last.repeat,
        gold=last.gold,
        adjudication=last.adjudication,
        guidelines=state.guidelines,
        expires=now + state.settings.lease_seconds,
    )
    payload = lease_payload(lease, origin=rater.origin)
    event = record(unit, project, kind="undone", now=now, rater=rater_id, task=last.task, vote=last.id, payload=payload)
    return dataclasses.replace(lease, number=event.number)


def _task(unit: Unit, project: str, task_id: str) -> tuple[Task, bool]:
    """The task, and whether it is a test; its priority may be an old one."""
    known = unit.known_tasks.get((project, task_id))
    if known is None:
        row = unit.read(_find_task, project=project, task=task_id).one_or_none()
        if row is None:
            raise DataError("no such task", got=task_id, where=f"project {project}")
        known = task_of(row), row.is_test
        unit.known_tasks.keep(project, task_id, known)
    return known


def _require_sound(vote: NewVote, settings: ProjectSettings) -> None:
    where = f"task {vote.task}"
    if not _VOTE_ID.fullmatch(vote.id):
        raise DataError("bad id of a vote", wanted="8 to 64 letters, digits or -: a UUID", got=vote.id, where=where)
    if not (math.isfinite(vote.seconds) and vote.seconds >= 0):
        raise DataError("bad time of a vote", wanted="seconds from 0", got=vote.seconds, where=where)
    if len(vote.rationale) > _MAX_RATIONALE_CHARS:
        wanted = f"at most {_MAX_RATIONALE_CHARS} characters"
        raise DataError("the rationale is too long", wanted=wanted, got=f"{len(vote.rationale)}", where=where)
    if settings.rationale == "required" and vote.answer is not None and not vote.rationale.strip():
        raise DataError("the vote does not say why", wanted="a rationale", where=where, fix="write one, or skip")
    if settings.rationale == "off" and vote.rationale:
        raise DataError("the project takes no rationales", wanted="none", where=where)


def _same(known: Row[Any], vote: NewVote, settings: ProjectSettings) -> Vote:
    if (known.rater, known.task) != (vote.rater, vote.task):
        raise DataError("another vote has this id", wanted="a new UUID a vote", got=vote.id, where=f"task {vote.task}")
    return vote_of(known, settings.kind)


def _lease_for(unit: Unit, project: str, vote: NewVote, *, rater: Row[Any], task: Task, is_test: bool) -> Lease:
    """The lease under which the vote is cast: of its offer, else the latest; open or lapsed. A judge needs none."""
    place = {"rater": rater.id, "task": vote.task}
    query = _find_lease if vote.offer is None else _find_lease.where(_leases.c.number == vote.offer)
    row = unit.read(query, project=project, adjudication=vote.adjudication, **place).one_or_none()
    if row is not None:
        return lease_of(row)
    if not vote.adjudication and unit.read(_find_standing, **place).first() is not None:
        raise DataError(
            "the task is answered already", got=vote.id, where=f"task {vote.task}", fix="undo the vote to change it"
        )
    if rater.origin != "judge" or vote.adjudication:
        raise DataError(
            "the task was not offered to this rater", got=vote.task, wanted="the task that is on the page", fix="go on"
        )
    shown = vote.shown or tuple(range(len(task.responses)))
    if sorted(shown) != list(range(len(task.responses))):
        raise DataError("not an order of the responses", got=shown, where=f"task {vote.task}")
    guidelines = unit.project(project).guidelines
    return Lease(vote.task, shown, False, is_test, False, guidelines, 0.0)


def _payload(vote: NewVote, lease: Lease, *, origin: str) -> dict[str, Any]:
    flags = {"origin": origin, "repeat": lease.repeat, "gold": lease.gold, "adjudication": lease.adjudication}
    return {
        "answer": None if vote.answer is None else answer_to_dict(vote.answer),
        "shown": list(lease.shown if vote.shown is None or origin == "human" else vote.shown),
        "guidelines": lease.guidelines,
        "seconds": float(vote.seconds),
        "rationale": vote.rationale,
        **flags,
        "counts": counts_into_overlap(**flags) and vote.answer is not None,
    }
