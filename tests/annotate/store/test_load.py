"""What is opened, and what is refused."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from rewardsmith.annotate.store import open_store
from rewardsmith.core.errors import ArtefactError, RewardsmithError, SettingsError


@pytest.mark.parametrize("url", ["mysql://u@h/d", "sqlite://", ":memory:", "://", "postgresql+pg8000://u:secret@h/d"])
def test_what_is_no_place_for_labels_is_refused(url: str):
    with pytest.raises(SettingsError) as refused:
        open_store(url)
    assert "secret" not in str(refused.value)


def test_what_cannot_be_opened_is_told_without_its_password(tmp_path: Path):
    other = tmp_path / "other"
    other.write_bytes(b"not a database, and longer than the sixteen bytes of a head" * 40)
    for url in (str(other), str(tmp_path), "postgresql://me:secret@127.0.0.1:1/labels"):
        with pytest.raises(ArtefactError) as refused:
            open_store(url)
        assert "secret" not in str(refused.value)


def test_a_store_of_a_later_version_is_left_alone(tmp_path: Path):
    path = tmp_path / "new" / "labels.sqlite"
    open_store(path).close()
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE store_info SET value = '99'")
    with pytest.raises(ArtefactError, match="99"):
        open_store(path)


def test_votes_are_written_through_to_the_disk(tmp_path: Path):
    store = open_store(tmp_path / "labels.sqlite")
    with store._engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
    store.close()


def test_a_file_that_another_keeps_is_told_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "labels.sqlite"
    monkeypatch.setattr("rewardsmith.annotate.store.engine._PRAGMAS", ("PRAGMA busy_timeout=50",))
    store = open_store(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RewardsmithError, match="another process keeps"):
            store.close_session("x")
        other.execute("COMMIT")
    store.close_session("x")
    store.close()
