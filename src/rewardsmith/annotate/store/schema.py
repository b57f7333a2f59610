"""The tables. `events` is the truth and only ever grows; all tables about labels are caches of it.

Whatever an event changes in the others is written in its own transaction by `store.apply`, and reading all events again
gives the same rows: that is how an import works. Links and sessions are no labels: they are not among the events, and
do not travel with an export.
"""

from __future__ import annotations

import re

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

VERSION = 1
"""Of these tables. A store that a later version made is refused."""

# A NUL, which PostgreSQL takes in no text, and half a surrogate pair, which is no Unicode.
_UNHEARD_OF = re.compile(r"[\x00\ud800-\udfff]")


class Id(TypeDecorator[str]):
    """A name or an id. One with characters that no database takes is nobody's, and may be asked for all the same."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: object) -> str | None:  # noqa: ARG002
        """The value as the database takes it."""
        return value if value is None else _UNHEARD_OF.sub("\ufffd", value)


metadata = MetaData()

store_info = Table("store_info", metadata, Column("key", String(40), primary_key=True), Column("value", Text))

projects = Table(
    "projects",
    metadata,
    Column("name", Id(64), primary_key=True),
    Column("settings", Text, nullable=False),
    Column("guidelines", Integer, nullable=False),  # the version in force
    Column("n_events", BigInteger, nullable=False),  # the number of the last event
    Column("n_open", BigInteger, nullable=False),  # tasks that may be offered
    Column("is_ready", Boolean, nullable=False),  # not while it is being imported
)

events = Table(
    "events",
    metadata,
    Column("project", Id(64), primary_key=True),
    Column("number", BigInteger, primary_key=True),  # from 1, without gaps
    Column("time", Double, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("rater", Id(40)),
    Column("task", Id(200)),
    Column("vote", Id(64)),
    # JSON in ASCII: a text may hold a NUL or half a surrogate pair, which no column of PostgreSQL takes unescaped.
    Column("payload", Text, nullable=False),
    Index("events_by_rater", "project", "rater", "number"),
)

guidelines = Table(
    "guidelines",
    metadata,
    Column("project", Id(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("number", BigInteger, nullable=False),  # the event that has the text
)

tasks = Table(
    "tasks",
    metadata,
    Column("project", Id(64), primary_key=True),
    Column("id", Id(200), primary_key=True),
    Column("number", BigInteger, nullable=False),  # the event that has the task itself
    Column("n_responses", Integer, nullable=False),
    Column("priority", Double, nullable=False),
    Column("why", Text, nullable=False),  # JSON in ASCII, as a payload is
    Column("is_test", Boolean, nullable=False),  # offered as a test of the rater, outside the overlap
    Column("votes", Integer, nullable=False),  # that count into the overlap
    Column("leases", Integer, nullable=False),  # that count into the overlap, and are open
    Column("taken", Integer, nullable=False),  # votes + leases
    Column("is_open", Boolean, nullable=False),  # taken < overlap, and no test
    Column("is_disputed", Boolean, nullable=False),
)
Index("tasks_to_offer", tasks.c.project, tasks.c.is_open, tasks.c.priority.desc(), tasks.c.taken, tasks.c.number)
Index("tasks_disputed", tasks.c.project, tasks.c.is_disputed)
Index("tasks_as_tests", tasks.c.project, tasks.c.is_test)
Index("tasks_in_order", tasks.c.project, tasks.c.number)

raters = Table(
    "raters",
    metadata,
    Column("id", Id(40), primary_key=True),
    Column("project", Id(64), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("name", Id(200), nullable=False),
    Column("role", String(20), nullable=False),
    Column("origin", String(10), nullable=False),
    Column("is_deleted", Boolean, nullable=False),
    Index("raters_of_project", "project", "number"),
)

leases = Table(
    "leases",
    metadata,
    Column("project", Id(64), primary_key=True),
    Column("number", BigInteger, primary_key=True),  # the event that offered it
    Column("rater", Id(40), nullable=False),
    Column("task", Id(200), nullable=False),
    Column("shown", String(2000), nullable=False),
    Column("guidelines", Integer, nullable=False),
    Column("expires", Double, nullable=False),
    Column("repeat", Boolean, nullable=False),
    Column("gold", Boolean, nullable=False),
    Column("adjudication", Boolean, nullable=False),
    Column("counts", Boolean, nullable=False),  # into the overlap
    Column("is_open", Boolean, nullable=False),  # else lapsed; a lease that was used is gone
    Index("leases_to_lapse", "project", "is_open", "expires"),
    Index("leases_of_rater", "rater", "task"),
)

votes = Table(
    "votes",
    metadata,
    Column("project", Id(64), primary_key=True),
    Column("id", Id(64), primary_key=True),
    Column("number", BigInteger, nullable=False),  # the event that has the answer
    Column("rater", Id(40), nullable=False),
    Column("task", Id(200), nullable=False),
    Column("origin", String(10), nullable=False),
    Column("stands", Boolean, nullable=False),  # neither undone nor deleted
    Column("is_skip", Boolean, nullable=False),
    Column("repeat", Boolean, nullable=False),
    Column("gold", Boolean, nullable=False),
    Column("adjudication", Boolean, nullable=False),
    Column("counts", Boolean, nullable=False),
    Index("votes_of_rater", "rater", "stands", "number"),
    Index("votes_to_count", "rater", "stands", "is_skip", "adjudication", "task"),
    Index("votes_of_rater_on_task", "rater", "task"),
    Index("votes_on_task", "project", "task"),
    Index("votes_in_order", "project", "stands", "number"),
)

links = Table(
    "links",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("rater", Id(40), nullable=False, index=True),
    Column("expires", Double, nullable=False),
    ForeignKeyConstraint(["rater"], ["raters.id"]),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("rater", Id(40), nullable=False, index=True),
    Column("expires", Double, nullable=False),
    ForeignKeyConstraint(["rater"], ["raters.id"]),
)
