"""The same tests on SQLite and on PostgreSQL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.annotate.store import postgres

from rewardsmith.annotate.store import LabelStore, open_store


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server of the tests' own."""
    if postgres.programs() is None:
        pytest.skip("PostgreSQL's programs are not installed (apt-get install postgresql)")
    with postgres.own_cluster() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a test's labels are: an empty place."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'labels.sqlite'}"
    found = request.getfixturevalue("postgres_url")
    postgres.empty(found)
    return found


@pytest.fixture
def store(url: str) -> Iterator[LabelStore]:
    """An empty store."""
    with contextlib.closing(open_store(url)) as opened:
        yield opened
