"""The small real models, as a fixture."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))


@pytest.fixture(scope="session")
def tiny() -> Any:
    """`tests/models/tiny.py`."""
    return importlib.import_module("tiny")
