"""Fixtures that every test package shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Two torch threads a worker, beside another worker, are far slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# No test may reach a model hub.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real preference data beside the project, where there is one."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real preference data are not beside this checkout (../shared/data)")
    return folder
