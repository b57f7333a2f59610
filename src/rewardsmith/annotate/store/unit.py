"""What a job works with: the connection of its transaction, and the state of the projects in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, CursorResult, Executable, bindparam, select, update

from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.store import schema
from rewardsmith.core.errors import DataError

_read_project = select(schema.projects).where(schema.projects.c.name == bindparam("name"))
_write_project = (
    update(schema.projects)
    .where(schema.projects.c.name == bindparam("of"))
    .values(n_events=bindparam("n_events"), n_open=bindparam("n_open"), guidelines=bindparam("version"))
)


@dataclass(slots=True)
class ProjectState:
    """What changes with almost every event; written back once a transaction.

    Attributes:
        settings: As the project was made.
        guidelines: Version in force.
        n_events: Number of the last event.
        n_open: Tasks that may be offered.
    """

    settings: ProjectSettings
    guidelines: int
    n_events: int
    n_open: int


class TaskCache(dict[tuple[str, str], Any]):
    """Tasks by project and id. They never change; what is kept is bounded, for some are long."""

    _MAX_TASKS = 256

    def keep(self, project: str, task: str, value: Any) -> None:
        """Keep one, and forget all others when there are too many: to read a task again costs little."""
        if len(self) >= self._MAX_TASKS:
            self.clear()
        self[project, task] = value


class Unit:
    """One transaction of the writer.

    Attributes:
        connection: Of the transaction.
        has_written: The present job has changed something.
        lapsed: Project → when its leases were last looked at.
        known_tasks: Tasks that the writer has read lately.
    """

    def __init__(self, connection: Connection, *, known_tasks: TaskCache) -> None:
        self.connection = connection
        self.known_tasks = known_tasks
        self.has_written = False
        self.lapsed: dict[str, float] = {}
        self._projects: dict[str, ProjectState] = {}

    def project(self, name: str, *, is_ready: bool = True) -> ProjectState:
        """The project's state, which whoever writes may change.

        Args:
            is_ready: Absent, too, is a project that is still being imported.

        Raises:
            DataError: There is no such project.
        """
        if name not in self._projects:
            row = self.read(_read_project, name=name).one_or_none()
            if row is None or (is_ready and not row.is_ready):
                raise no_project(name)
            settings = ProjectSettings.model_validate(json.loads(row.settings))
            self._projects[name] = ProjectState(settings, row.guidelines, row.n_events, row.n_open)
        return self._projects[name]

    def read(self, statement: Executable, **values: Any) -> CursorResult[Any]:
        """The result of a statement that changes nothing."""
        return self.connection.execute(statement, values)

    def write(self, statement: Executable, values: Mapping[str, Any] | list[dict[str, Any]]) -> CursorResult[Any]:
        """The result of a statement that changes rows; a list of values runs it for each."""
        self.has_written = True
        return self.connection.execute(statement, values)

    def flush(self) -> None:
        """Write the states back."""
        for name, state in self._projects.items():
            values = {"of": name, "n_events": state.n_events, "n_open": state.n_open, "version": state.guidelines}
            self.connection.execute(_write_project, values)


def no_project(name: str) -> DataError:
    """What to tell of a project that there is not."""
    return DataError("no such project", got=name, fix="make it with `rewardsmith annotate create`")
