"""A server of some tiny models, and the same models in this process to hold its clients' rewards against."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.serve.families import build_families
from tests.serve.serving import InProcessModels, Serving, serving

from rewardsmith.scoring.load import load_scorer

FAMILIES = ("decoder", "encoder", "ensemble", "attributes", "process")
"""The first one is the default. Its template begins with a BOS."""


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder a family."""
    return build_families(tmp_path_factory.mktemp("served"), FAMILIES)


@pytest.fixture(scope="session")
def server(folders: dict[str, Path]) -> Iterator[Serving]:
    """All of them behind HTTP."""
    with serving(folders, kind=InProcessModels) as running:
        yield running


@pytest.fixture(scope="session")
def in_process(folders: dict[str, Path]) -> Callable[[str], Any]:
    """The scorer of a family, without a server."""
    known: dict[str, Any] = {}

    def load(family: str) -> Any:
        if family not in known:
            known[family] = load_scorer(folders[family], device="cpu")
        return known[family]

    return load
