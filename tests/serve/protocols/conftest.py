"""Servers of one tiny model of each family."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx2
import pytest
from tests.serve.families import build_families
from tests.serve.serving import UNGATED, InProcessModels, Serving, serving


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One tiny model of each family."""
    return build_families(tmp_path_factory.mktemp("families"))


@pytest.fixture(scope="session")
def every_family(folders: dict[str, Path]) -> Iterator[Serving]:
    """All families, in this process; for the decoder a temperature is known."""
    with serving(folders, kind=partial(InProcessModels, temperatures={"decoder": 2.0})) as server:
        yield server


@pytest.fixture(scope="session")
def in_a_process(folders: dict[str, Path]) -> Iterator[Serving]:
    """The decoder in a process of its own, behind its queue and its cache."""
    with serving({"decoder": folders["decoder"]}) as server:
        yield server


@pytest.fixture(scope="session")
def changing(folders: dict[str, Path]) -> Iterator[Serving]:
    """The decoder; others may be loaded over HTTP from the folder of all families."""
    settings = UNGATED.model_copy(update={"model_roots": (folders["decoder"].parent,)})
    with serving({"decoder": folders["decoder"]}, settings, kind=InProcessModels) as server:
        yield server


@pytest.fixture(scope="session")
def http(every_family: Serving) -> Iterator[httpx2.Client]:
    """A client of `every_family`; its default model is the encoder."""
    with httpx2.Client(base_url=every_family.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def real_http(in_a_process: Serving) -> Iterator[httpx2.Client]:
    """A client of `in_a_process`."""
    with httpx2.Client(base_url=in_a_process.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def admin(changing: Serving) -> Iterator[httpx2.Client]:
    """A client of `changing`."""
    with httpx2.Client(base_url=changing.url, timeout=60) as client:
        yield client
