"""Make a labelling project."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.store import open_store
from rewardsmith.core.settings import parse_settings


def create(database: str, values: Mapping[str, Any]) -> ProjectSettings:
    """Make the project that `values` describe, in the label store at `database`.

    Raises:
        SettingsError: A key is unknown or its value is wrong.
        DataError: There is a project of that name.
    """
    project = parse_settings(ProjectSettings, values, where="annotate create")
    with contextlib.closing(open_store(database)) as store:
        store.create_project(project)
    return project
