"""A label store is opened, and made where there is none."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import DatabaseError

from rewardsmith.annotate.store import schema
from rewardsmith.annotate.store.engine import begin_writing, make_engine, unreachable
from rewardsmith.annotate.store.label_store import LabelStore
from rewardsmith.core.errors import ArtefactError

_VERSION_KEY = "schema"


def open_store(url: str | Path) -> LabelStore:
    """The store at `sqlite:///file`, a path, or `postgresql://user@host/name`; its tables are made where they are not.

    Raises:
        SettingsError: It is another kind of URL.
        ArtefactError: The database cannot be opened, is something else, or was made by a later version.
    """
    engine = make_engine(url)
    try:
        _prepare(engine)
    except DatabaseError as error:
        engine.dispose()
        raise unreachable(error, engine.url) from error
    except ArtefactError:
        engine.dispose()
        raise
    return LabelStore(engine)


def _prepare(engine: Engine) -> None:
    with engine.connect() as connection:
        begin_writing(connection)
        schema.metadata.create_all(connection)
        version = _version(connection)
        connection.commit()
    if version != schema.VERSION:
        raise ArtefactError(
            "the label store is of another version",
            wanted=f"version {schema.VERSION}",
            got=version,
            where=engine.url.render_as_string(hide_password=True),
            fix="use the rewardsmith that made it, or export there and import here",
        )


def _version(connection: Connection) -> int:
    key = schema.store_info.c.key == _VERSION_KEY
    known = connection.execute(select(schema.store_info.c.value).where(key)).scalar_one_or_none()
    if known is None:
        connection.execute(insert(schema.store_info), {"key": _VERSION_KEY, "value": str(schema.VERSION)})
        return schema.VERSION
    return int(known)
