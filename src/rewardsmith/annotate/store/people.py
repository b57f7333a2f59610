"""Raters, the links that let them in, and their sessions. Of tokens the store has digests only."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Any, get_args

from sqlalchemy import Connection, Row, bindparam, delete, insert, select

from rewardsmith.annotate.raters import Rater, Role
from rewardsmith.annotate.store import schema
from rewardsmith.annotate.store.apply import record
from rewardsmith.annotate.store.reading import rater_of
from rewardsmith.annotate.store.unit import Unit
from rewardsmith.annotate.votes import Origin
from rewardsmith.core.errors import DataError, UnauthorizedError

DAY_S = 86400.0
SESSION_DAYS = 14
"""As long as a link lasts unless it is said otherwise: a rater's phone stays signed in for the time of a project."""

_raters, _links, _sessions = schema.raters, schema.links, schema.sessions

# One line that a page, a log and a column of a database can hold.
_NAME = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,200}")

_find_rater = select(_raters).where(_raters.c.id == bindparam("rater"), ~_raters.c.is_deleted)
_find_name = select(_raters.c.id).where(
    _raters.c.project == bindparam("project"), _raters.c.name == bindparam("name"), ~_raters.c.is_deleted
)
_of_rater = bindparam("of")
_forget_old = [delete(table).where(table.c.expires <= bindparam("now")) for table in (_links, _sessions)]
_revoke = [delete(table).where(table.c.rater == _of_rater) for table in (_links, _sessions)]
_close = delete(_sessions).where(_sessions.c.digest == bindparam("of"))


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in.

    Attributes:
        token: Secret of the cookie; the store has its digest only.
        csrf: What this session's forms hold, and no other site can know.
        rater: Who it is.
        project: Name of the project.
        expires: Seconds since 1970.
    """

    token: str
    csrf: str
    rater: Rater
    project: str
    expires: float


def require_rater(unit: Unit, project: str, rater_id: str) -> Row[Any]:
    """The row of a rater of this project.

    Raises:
        DataError: There is none of that id, or they were deleted.
    """
    row = unit.read(_find_rater, rater=rater_id).one_or_none()
    if row is None or row.project != project:
        raise no_rater(rater_id)
    return row


def find_rater(connection: Connection, rater_id: str) -> Rater:
    """The rater of that id, in whatever project.

    Raises:
        DataError: There is none, or they were deleted.
    """
    row = connection.execute(_find_rater, {"rater": rater_id}).one_or_none()
    if row is None:
        raise no_rater(rater_id)
    return rater_of(row)


def add_rater(unit: Unit, project: str, name: str, *, role: Role, origin: Origin, now: float) -> Rater:
    """A new rater.

    Raises:
        DataError: The name is none or is taken, or the role or origin is unknown.
    """
    unit.project(project)
    name = name.strip()
    if not _NAME.fullmatch(name):
        raise DataError("bad name of a rater", wanted="1 to 200 characters on one line", got=name)
    if role not in get_args(Role) or origin not in get_args(Origin):
        known = f"a role among {', '.join(get_args(Role))}, an origin among {', '.join(get_args(Origin))}"
        raise DataError("unknown kind of rater", wanted=known, got=f"{role}, {origin}")
    if unit.read(_find_name, project=project, name=name).first() is not None:
        raise DataError("there is a rater of that name", got=name, where=f"project {project}", fix="take another")
    rater = Rater(secrets.token_hex(8), name, role, origin, project)
    payload = {"name": name, "role": role, "origin": origin}
    record(unit, project, kind="rater_added", now=now, rater=rater.id, payload=payload)
    return rater


def delete_rater(unit: Unit, project: str, rater_id: str, *, reason: str, now: float) -> None:
    """Erase a rater; see `store.erase`.

    Raises:
        DataError: There is no such rater.
    """
    require_rater(unit, project, rater_id)
    record(unit, project, kind="rater_deleted", now=now, rater=rater_id, payload={"reason": reason})


def make_link(unit: Unit, project: str, rater_id: str, *, days: float, now: float) -> str:
    """The token of a new access link. It opens sessions until it expires or is revoked.

    Raises:
        DataError: There is no such rater.
    """
    require_rater(unit, project, rater_id)
    _forget_expired(unit, now)
    token = secrets.token_urlsafe(32)
    unit.write(insert(_links), {"digest": digest(token), "rater": rater_id, "expires": now + days * DAY_S})
    return token


def revoke_links(unit: Unit, project: str, rater_id: str) -> None:
    """End all links and sessions of a rater.

    Raises:
        DataError: There is no such rater.
    """
    require_rater(unit, project, rater_id)
    for statement in _revoke:
        unit.write(statement, {"of": rater_id})


def redeem(connection: Connection, token: str, *, now: float) -> Rater:
    """Whose link it is.

    Raises:
        UnauthorizedError: Nobody's, or no longer.
    """
    row = _of_token(connection, _links, token, now=now)
    if row is None:
        raise UnauthorizedError(
            "the link does not open anything", wanted="an access link that is still good", fix="ask for a new one"
        )
    return rater_of(row)


def open_session(unit: Unit, rater_id: str, *, now: float) -> Session:
    """A new session.

    Raises:
        DataError: There is no such rater.
    """
    rater = find_rater(unit.connection, rater_id)
    _forget_expired(unit, now)
    token, expires = secrets.token_urlsafe(32), now + SESSION_DAYS * DAY_S
    unit.write(insert(_sessions), {"digest": digest(token), "rater": rater_id, "expires": expires})
    return Session(token, _csrf(token), rater, rater.project, expires)


def find_session(connection: Connection, token: str, *, now: float) -> Session | None:
    """The session of that token, if it is open."""
    row = _of_token(connection, _sessions, token, now=now)
    return None if row is None else Session(token, _csrf(token), rater_of(row), row.project, row.expires)


def close_session(unit: Unit, token: str) -> None:
    """End a session; one that is not open is none the worse."""
    unit.write(_close, {"of": digest(token)})


def digest(token: str) -> str:
    """What the store keeps of a token, which is 256 random bits: a plain sha256 of it cannot be searched for."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def no_rater(rater_id: str) -> DataError:
    """What to tell of a rater that there is not."""
    return DataError("no such rater", got=rater_id, fix="make one with `rewardsmith annotate link`")


def _csrf(token: str) -> str:
    return hmac.new(token.encode("utf-8", "surrogatepass"), b"csrf", hashlib.sha256).hexdigest()


def _forget_expired(unit: Unit, now: float) -> None:
    for statement in _forget_old:
        unit.write(statement, {"now": now})


def _of_token(connection: Connection, table: Any, token: str, *, now: float) -> Row[Any] | None:
    query = _FIND[table.name]
    return connection.execute(query, {"digest": digest(token), "now": now}).one_or_none()


_FIND = {
    table.name: select(_raters, table.c.expires)
    .join(table, table.c.rater == _raters.c.id)
    .where(table.c.digest == bindparam("digest"), table.c.expires > bindparam("now"), ~_raters.c.is_deleted)
    for table in (_links, _sessions)
}
