"""A store of all kinds of projects, and raters of each role."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.annotate.pages.labelling import PROJECTS, add_project

from rewardsmith.annotate.store import LabelStore, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LabelStore]:
    """One project of pairs, with three tasks."""
    with contextlib.closing(open_store(tmp_path / "labels.sqlite")) as opened:
        add_project(opened, PROJECTS["pairs"])
        yield opened
