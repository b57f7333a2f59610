"""`scorer.json`: what kind of scorer a folder holds, where that is not a single reward model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rewardsmith.core.errors import ModelError
from rewardsmith.core.store import write_json

SPEC_NAME = "scorer.json"


def read_spec(folder: Path) -> dict[str, Any] | None:
    """What `scorer.json` in `folder` says, its `family` above all; `None` where there is no such file.

    Raises:
        ModelError: It cannot be read, or names no family.
    """
    path = folder / SPEC_NAME
    if not path.is_file():
        return None
    try:
        spec = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError("unreadable scorer", got=error, where=str(path), fix="make the scorer again") from error
    if not isinstance(spec, dict) or not isinstance(spec.get("family"), str):
        raise ModelError("the scorer names no family", wanted='{"family": "…", …}', where=str(path))
    return spec


def write_spec(folder: Path, family: str, values: Mapping[str, Any]) -> None:
    """Write `scorer.json` into `folder`."""
    write_json(folder / SPEC_NAME, {"family": family, **values})
