"""A URL becomes an engine: SQLite for one machine, PostgreSQL for a team."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError

from rewardsmith.core.errors import ArtefactError, SettingsError

BUSY_S = 30.0
"""How long one process waits for another that writes."""

_WRITE_LOCK = 0x5265_7761_7264
"""Number of the advisory lock by which writers of one PostgreSQL database take turns ("Reward")."""

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    # An acknowledged vote is on the disk, even when the power fails.
    "PRAGMA synchronous=FULL",
    f"PRAGMA busy_timeout={int(BUSY_S * 1000)}",
    "PRAGMA foreign_keys=ON",
    # What a legal deletion erases is not left in free pages.
    "PRAGMA secure_delete=ON",
)


def make_engine(url: str | Path) -> Engine:
    """The engine for `sqlite:///file`, a path, or `postgresql://user@host/name`.

    Raises:
        SettingsError: It is another kind of URL, or SQLite in memory, which would not outlive the process.
        ArtefactError: The database cannot be opened.
    """
    parsed = _parsed(str(url))
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    # `pool_pre_ping`: a server that was started again is no error to the next rater.
    return create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, pool_size=8, max_overflow=24)


def begin_writing(connection: Connection) -> None:
    """Wait for the turn to write: one writer at a time in a database, whichever process or project.

    SQLite's file has but one lock, taken by BEGIN IMMEDIATE. On PostgreSQL an advisory lock of the whole database does
    the same, and not the lock of a project's row: what several raters do is committed together, whatever their
    projects, and two processes that took rows in different orders would wait for each other for ever.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _WRITE_LOCK})


def unreachable(error: DatabaseError, url: URL) -> ArtefactError:
    """What to tell where a database cannot be opened."""
    return ArtefactError(
        "cannot open the label store",
        wanted="a SQLite file that may be written, or a PostgreSQL server that answers",
        got=str(error.orig),
        where=url.render_as_string(hide_password=True),
        fix="check the path or the server, and who may write there",
    )


def _parsed(url: str) -> URL:
    if "://" not in url:
        return URL.create("sqlite", database=url)
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise _bad_url(url.partition("://")[0]) from error
    if parsed.drivername not in ("sqlite", "postgresql", "postgresql+psycopg"):
        raise _bad_url(parsed.drivername)
    return parsed


def _bad_url(got: str) -> SettingsError:
    return SettingsError(
        "not a label store", wanted="a path, sqlite:///FILE or postgresql://USER@HOST/NAME", got=f"{got}://…"
    )


def _sqlite(url: URL) -> Engine:
    if url.database in (None, "", ":memory:"):
        raise SettingsError("a label store in memory is lost with the process", wanted="a file", fix="name a path")
    _make_private(Path(str(url.database)))
    engine = create_engine(url, pool_size=8, max_overflow=24, connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _configure)
    return engine


def _make_private(path: Path) -> None:
    """An empty file that its owner alone may read: it will hold people's names."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise ArtefactError("cannot open the label store", got=error, where=str(path), fix="name a file") from error


def _configure(connection: Any, _record: Any) -> None:
    # The driver's own transactions begin too late and without a lock: ours are begun by hand.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)
