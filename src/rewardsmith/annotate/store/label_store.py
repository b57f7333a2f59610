"""The label store: every question that the rest of annotate asks of the database."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from sqlalchemy import Connection, Engine, bindparam, select

from rewardsmith.annotate.raters import Rater, Role
from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.store import offers, people, projects, restore, schema, voting
from rewardsmith.annotate.store.events import Event, read_events
from rewardsmith.annotate.store.leases import Lease, Offer, load_shown
from rewardsmith.annotate.store.offered import load_offer
from rewardsmith.annotate.store.people import Session
from rewardsmith.annotate.store.projects import Added
from rewardsmith.annotate.store.reading import rater_of, task_columns, task_of, vote_columns, vote_of
from rewardsmith.annotate.store.writer import Writer
from rewardsmith.annotate.tasks import Task
from rewardsmith.annotate.votes import NewVote, Origin, Vote
from rewardsmith.core.errors import DataError

_tasks, _votes, _raters = schema.tasks, schema.votes, schema.raters

_all_tasks = task_columns().where(_tasks.c.project == bindparam("project")).order_by(_tasks.c.number)
_one_task = task_columns().where(_tasks.c.project == bindparam("project"), _tasks.c.id == bindparam("task"))
_all_votes = vote_columns().where(_votes.c.project == bindparam("project"), _votes.c.stands).order_by(_votes.c.number)
_last_votes = (
    vote_columns()
    .where(_votes.c.project == bindparam("project"), _votes.c.rater == bindparam("rater"), _votes.c.stands)
    .order_by(_votes.c.number.desc())
    .limit(bindparam("most"))
)
_all_raters = (
    select(_raters).where(_raters.c.project == bindparam("project"), ~_raters.c.is_deleted).order_by(_raters.c.number)
)


class LabelStore:
    """Projects, tasks, raters, votes. One object a process; its methods may be called from any thread.

    Reads are answered in the caller's thread, from what is committed; writes by one thread (see `store.writer`). Times
    are seconds since 1970; `now=` is for tests.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = Writer(engine)

    def close(self) -> None:
        """Finish what is being written, and close all connections."""
        self._writer.close()
        self._engine.dispose()

    def create_project(self, settings: ProjectSettings, *, now: float | None = None) -> None:
        """See `projects.create_project`."""
        self._writer.run(lambda unit: projects.create_project(unit, settings, now=_time(now)))

    def projects(self) -> list[ProjectSettings]:
        """All projects, by name."""
        with self._read() as connection:
            return projects.load_projects(connection)

    def project(self, name: str) -> ProjectSettings:
        """See `projects.load_project`."""
        with self._read() as connection:
            return projects.load_project(connection, name)

    def change_guidelines(self, name: str, text: str, *, now: float | None = None) -> int:
        """See `projects.change_guidelines`."""
        return self._writer.run(lambda unit: projects.change_guidelines(unit, name, text, now=_time(now)))

    def guidelines(self, name: str, version: int | None = None) -> tuple[int, str]:
        """See `projects.load_guidelines`."""
        with self._read() as connection:
            return projects.load_guidelines(connection, name, version=version)

    def add_tasks(self, name: str, tasks: Iterable[Task], *, now: float | None = None) -> Added:
        """Add tasks, a part a transaction; those whose ids are known stay as they are.

        Raises:
            DataError: There is no such project, or a task does not fit it; parts before it are added.
        """
        added, rest = Added(0, 0), iter(tasks)
        self.project(name)
        while part := list(islice(rest, projects.CHUNK)):
            one = self._writer.run(lambda unit, part=part: projects.add_tasks(unit, name, part, now=_time(now)))
            added = Added(added.new + one.new, added.known + one.known)
        return added

    def tasks(self, name: str) -> list[Task]:
        """All tasks, in the order in which they came."""
        return self._read_tasks(name, disputed=False)

    def task(self, name: str, task_id: str) -> Task:
        """The task of that id.

        Raises:
            DataError: There is none.
        """
        with self._read() as connection:
            return _load_task(connection, name, task_id)

    def set_priorities(
        self, name: str, priorities: Mapping[str, tuple[float, str]], *, now: float | None = None
    ) -> None:
        """See `projects.set_priorities`; all of them or none."""
        self._writer.run(lambda unit: projects.set_priorities(unit, name, priorities, now=_time(now)))

    def add_rater(
        self,
        name: str,
        rater_name: str,
        role: Role = "rater",
        origin: Origin = "human",
        *,
        now: float | None = None,
    ) -> Rater:
        """See `people.add_rater`."""
        return self._writer.run(
            lambda unit: people.add_rater(unit, name, rater_name, role=role, origin=origin, now=_time(now))
        )

    def raters(self, name: str) -> list[Rater]:
        """The raters who were not deleted, in the order in which they came."""
        with self._read() as connection:
            projects.load_project(connection, name)
            return [rater_of(row) for row in connection.execute(_all_raters, {"project": name})]

    def rater(self, rater_id: str) -> Rater:
        """See `people.find_rater`."""
        with self._read() as connection:
            return people.find_rater(connection, rater_id)

    def delete_rater(self, name: str, rater_id: str, reason: str, *, now: float | None = None) -> None:
        """See `store.erase`. On SQLite the erased texts leave the journal, too, as soon as nobody reads."""
        self._writer.run(lambda unit: people.delete_rater(unit, name, rater_id, reason=reason, now=_time(now)))
        self._checkpoint()

    def make_link(self, name: str, rater_id: str, *, days: float = 14, now: float | None = None) -> str:
        """See `people.make_link`."""
        return self._writer.run(lambda unit: people.make_link(unit, name, rater_id, days=days, now=_time(now)))

    def revoke_links(self, name: str, rater_id: str) -> None:
        """See `people.revoke_links`."""
        self._writer.run(lambda unit: people.revoke_links(unit, name, rater_id))

    def redeem(self, token: str, *, now: float | None = None) -> Rater:
        """See `people.redeem`."""
        with self._read() as connection:
            return people.redeem(connection, token, now=_time(now))

    def open_session(self, rater_id: str, *, now: float | None = None) -> Session:
        """See `people.open_session`."""
        return self._writer.run(lambda unit: people.open_session(unit, rater_id, now=_time(now)))

    def session(self, token: str, *, now: float | None = None) -> Session | None:
        """See `people.find_session`."""
        with self._read() as connection:
            return people.find_session(connection, token, now=_time(now))

    def close_session(self, token: str) -> None:
        """See `people.close_session`."""
        self._writer.run(lambda unit: people.close_session(unit, token))

    def next_task(self, name: str, rater_id: str, *, now: float | None = None) -> Offer | None:
        """The rater's next task, leased to them, or the one that is; `None` where nothing is left for them.

        Raises:
            DataError: There is no such project, or no such rater in it.
        """
        lease = self._writer.run(lambda unit: offers.offer_next(unit, name, rater_id, now=_time(now)))
        return self._offer(name, rater_id, lease)

    def next_dispute(self, name: str, adjudicator_id: str, *, now: float | None = None) -> Offer | None:
        """The next task for an adjudicator; see `offers.offer_dispute`. `waiting` are the further disputes."""
        lease = self._writer.run(lambda unit: offers.offer_dispute(unit, name, adjudicator_id, now=_time(now)))
        return self._offer(name, adjudicator_id, lease)

    def disputes(self, name: str) -> list[Task]:
        """The tasks whose votes do not settle them (see `quality.disputes`), in the order in which they came."""
        return self._read_tasks(name, disputed=True)

    def shown(self, name: str, rater_id: str, task_id: str, offer: int) -> tuple[int, ...]:
        """See `leases.load_shown`."""
        with self._read() as connection:
            return load_shown(connection, name, rater_id, task_id=task_id, offer=offer)

    def cast(self, name: str, vote: NewVote, *, now: float | None = None) -> Vote:
        """See `voting.cast`. When it returns, the vote is on the disk."""
        return self._writer.run(lambda unit: voting.cast(unit, name, vote, now=_time(now)))

    def undo(self, name: str, rater_id: str, *, now: float | None = None) -> Offer | None:
        """See `voting.undo`."""
        lease = self._writer.run(lambda unit: voting.undo(unit, name, rater_id, now=_time(now)))
        return self._offer(name, rater_id, lease)

    def history(self, name: str, rater_id: str, limit: int = 20) -> list[Vote]:
        """The rater's last votes that stand, the latest first."""
        with self._read() as connection:
            kind = projects.load_project(connection, name).kind
            found = connection.execute(_last_votes, {"project": name, "rater": rater_id, "most": limit})
            return [vote_of(row, kind) for row in found]

    def votes(self, name: str, *, origin: Origin | None = None, task: str | None = None) -> list[Vote]:
        """All votes that stand, in the order in which they were cast; skips are among them, without an answer.

        Args:
            origin: Only those of people, or of judges.
            task: Only those on this task.
        """
        query = _all_votes if origin is None else _all_votes.where(_votes.c.origin == origin)
        if task is not None:
            query = query.where(_votes.c.task == task)
        with self._read() as connection:
            kind = projects.load_project(connection, name).kind
            return [vote_of(row, kind) for row in connection.execute(query, {"project": name})]

    def events(self, name: str, after: int = 0) -> Iterator[Event]:
        """What happened, from event number `after` + 1 on.

        Raises:
            DataError: There is no such project.
        """
        self.project(name)
        return read_events(self._engine, name, after=after)

    def restore(self, settings: ProjectSettings, events: Iterable[Event]) -> int:
        """See `restore.restore`."""
        return restore.restore(self._writer, settings, events)

    def _read_tasks(self, name: str, *, disputed: bool) -> list[Task]:
        query = _all_tasks.where(_tasks.c.is_disputed) if disputed else _all_tasks
        with self._read() as connection:
            projects.load_project(connection, name)
            return [task_of(row) for row in connection.execute(query, {"project": name})]

    def _offer(self, name: str, rater_id: str, lease: Lease | None) -> Offer | None:
        """The offer of a lease: all that need not be read while others wait to write."""
        if lease is None:
            return None
        with self._read() as connection:
            offer = load_offer(connection, name, rater_id, lease=lease)
        # The writer, for whom others wait, need not read it again when the vote comes.
        self._writer.known_tasks.keep(name, lease.task, (offer.task, lease.gold))
        return offer

    def _read(self) -> Connection:
        """A connection for questions: each sees all that is committed when it is asked."""
        connection = self._engine.connect()
        if connection.dialect.name == "sqlite":
            return connection  # which is in no transaction but where one is begun by hand
        return connection.execution_options(isolation_level="AUTOCOMMIT")

    def _checkpoint(self) -> None:
        if self._engine.dialect.name == "sqlite":
            with self._engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _load_task(connection: Connection, name: str, task_id: str) -> Task:
    row = connection.execute(_one_task, {"project": name, "task": task_id}).one_or_none()
    if row is None:
        raise DataError("no such task", got=task_id, where=f"project {name}")
    return task_of(row)


def _time(now: float | None) -> float:
    return time.time() if now is None else now
