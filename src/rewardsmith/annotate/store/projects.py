"""Projects, their guidelines and their tasks."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from rewardsmith.annotate.answers import require_fits
from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.store import schema
from rewardsmith.annotate.store.apply import append, apply_tasks, record
from rewardsmith.annotate.store.events import Event, dump
from rewardsmith.annotate.store.unit import Unit, no_project
from rewardsmith.annotate.tasks import Task, task_to_dict
from rewardsmith.core.errors import DataError

_projects, _tasks, _guidelines, _events = schema.projects, schema.tasks, schema.guidelines, schema.events

CHUNK = 500
"""Tasks in a transaction: raters who label meanwhile wait no longer than for one of them."""

_known_ids = select(_tasks.c.id).where(
    _tasks.c.project == bindparam("project"), _tasks.c.id.in_(bindparam("ids", expanding=True))
)
_find_project = select(_projects).where(_projects.c.name == bindparam("name"))
_find_guidelines = (
    select(_guidelines.c.version, _events.c.payload)
    .join(_events, (_events.c.project == _guidelines.c.project) & (_events.c.number == _guidelines.c.number))
    .where(_guidelines.c.project == bindparam("project"), _guidelines.c.version == bindparam("version"))
)


@dataclass(frozen=True, slots=True)
class Added:
    """What became of tasks that were given: `new` ones, and those whose id was `known` and that stay as they were."""

    new: int
    known: int


def create_project(unit: Unit, settings: ProjectSettings, *, now: float) -> None:
    """A new project with the first version of its guidelines.

    Raises:
        DataError: There is one of that name.
    """
    insert_project(unit, settings, is_ready=True)
    said = settings.model_dump(mode="json")
    record(unit, settings.name, kind="project_created", now=now, payload={"settings": said})


def insert_project(unit: Unit, settings: ProjectSettings, *, is_ready: bool) -> None:
    """The row of a project without events.

    Raises:
        DataError: There is one of that name.
    """
    if unit.read(_find_project, name=settings.name).first() is not None:
        raise DataError("there is a project of that name", got=settings.name, fix="take another name")
    row = {"name": settings.name, "settings": dump(settings.model_dump(mode="json")), "is_ready": is_ready}
    unit.write(insert(_projects), {**row, "guidelines": 0, "n_events": 0, "n_open": 0})


def load_projects(connection: Connection) -> list[ProjectSettings]:
    """All projects, by name."""
    rows = connection.execute(select(_projects.c.settings).where(_projects.c.is_ready).order_by(_projects.c.name))
    return [settings_of(row.settings) for row in rows]


def load_project(connection: Connection, name: str) -> ProjectSettings:
    """The project of that name.

    Raises:
        DataError: There is none.
    """
    row = connection.execute(_find_project, {"name": name}).one_or_none()
    if row is None or not row.is_ready:
        raise no_project(name)
    return settings_of(row.settings)


def load_guidelines(connection: Connection, name: str, *, version: int | None) -> tuple[int, str]:
    """A version of the guidelines, or the one in force, and its text.

    Raises:
        DataError: There is no such project, or no such version.
    """
    load_project(connection, name)
    if version is None:
        version = connection.execute(_find_project, {"name": name}).one().guidelines
    row = connection.execute(_find_guidelines, {"project": name, "version": version}).one_or_none()
    if row is None:
        raise DataError("no such version of the guidelines", got=version, where=f"project {name}")
    said = json.loads(row.payload)
    return row.version, said["text"] if "text" in said else said["settings"]["guidelines"]


def change_guidelines(unit: Unit, name: str, text: str, *, now: float) -> int:
    """The new version's number; the present one's where the text is the same.

    Raises:
        DataError: There is no such project.
    """
    state = unit.project(name)
    if load_guidelines(unit.connection, name, version=state.guidelines)[1] == text:
        return state.guidelines
    version = state.guidelines + 1
    record(unit, name, kind="guidelines_changed", now=now, payload={"version": version, "text": text})
    return version


def add_tasks(unit: Unit, name: str, tasks: Sequence[Task], *, now: float) -> Added:
    """Add the tasks whose ids are not known.

    Raises:
        DataError: There is no such project, or a task does not fit it.
    """
    state = unit.project(name)
    known = {row.id for row in unit.read(_known_ids, project=name, ids=[task.id for task in tasks])}
    new: dict[str, Task] = {}
    for task in tasks:
        _require_suits(task, state.settings)
        if task.id not in known:
            new.setdefault(task.id, task)
    first = state.n_events + 1
    events = [
        Event(first + i, now, name, "task_added", None, task.id, None, task_to_dict(task))
        for i, task in enumerate(new.values())
    ]
    append(unit, events)
    apply_tasks(unit, events)
    return Added(len(new), len(tasks) - len(new))


def set_priorities(unit: Unit, name: str, priorities: Mapping[str, tuple[float, str]], *, now: float) -> None:
    """Change when tasks are asked, and what the page says of it.

    Raises:
        DataError: There is no such project or task, or a priority is not finite.
    """
    unit.project(name)
    for start in range(0, len(priorities), CHUNK):
        part = dict(list(priorities.items())[start : start + CHUNK])
        known = {row.id for row in unit.read(_known_ids, project=name, ids=list(part))}
        for task, (priority, _) in part.items():
            if task not in known or not math.isfinite(priority):
                wanted = "a task of the project and a finite number"
                raise DataError("cannot set a priority", wanted=wanted, got=f"{task}: {priority}")
        said: dict[str, Any] = {task: [float(priority), why] for task, (priority, why) in part.items()}
        record(unit, name, kind="priorities_set", now=now, payload={"priorities": said})


def settings_of(text: str) -> ProjectSettings:
    """The settings in a column or an event."""
    return ProjectSettings.model_validate(json.loads(text))


def _require_suits(task: Task, settings: ProjectSettings) -> None:
    where = f"task {task.id}"
    if task.kind != settings.kind:
        raise DataError("a task of another kind", wanted=settings.kind, got=task.kind, where=where)
    if not math.isfinite(task.priority):
        raise DataError("bad priority of a task", wanted="a finite number", got=task.priority, where=where)
    if task.gold is not None:
        require_fits(task.gold, task, settings)
