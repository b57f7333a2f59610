"""Rows of the tables become tasks, votes, raters."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from sqlalchemy import Row, Select, and_, select

from rewardsmith.annotate.answers import TaskKind, answer_from_dict
from rewardsmith.annotate.raters import Rater
from rewardsmith.annotate.store import schema
from rewardsmith.annotate.tasks import Task, task_from_dict
from rewardsmith.annotate.votes import Vote

_events, _tasks, _votes = schema.events, schema.tasks, schema.votes


def task_columns() -> Select[Any]:
    """All that `task_of` needs, of every task; a `where` chooses."""
    has_it = and_(_events.c.project == _tasks.c.project, _events.c.number == _tasks.c.number)
    return select(_tasks, _events.c.payload).join(_events, has_it)


def task_of(row: Row[Any]) -> Task:
    """The task in a row of `task_columns`, with its present priority."""
    return dataclasses.replace(task_from_dict(json.loads(row.payload)), priority=row.priority, why=json.loads(row.why))


def vote_columns() -> Select[Any]:
    """All that `vote_of` needs, of every vote; a `where` chooses."""
    has_it = and_(_events.c.project == _votes.c.project, _events.c.number == _votes.c.number)
    return select(_votes, _events.c.payload, _events.c.time).join(_events, has_it)


def vote_of(row: Row[Any], kind: TaskKind) -> Vote:
    """The vote in a row of `vote_columns`."""
    said = json.loads(row.payload)
    answer = said["answer"]
    return Vote(
        id=row.id,
        project=row.project,
        task=row.task,
        rater=row.rater,
        answer=None if answer is None else answer_from_dict(kind, answer),
        shown=tuple(said["shown"]),
        guidelines=said["guidelines"],
        seconds=said["seconds"],
        time=row.time,
        rationale=said["rationale"],
        repeat=row.repeat,
        gold=row.gold,
        origin=row.origin,
        adjudication=row.adjudication,
    )


def rater_of(row: Row[Any]) -> Rater:
    """The rater in a row of their table."""
    return Rater(row.id, row.name, row.role, row.origin, row.project)
