"""A labelling project from a file, into a store."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from rewardsmith.annotate.exchange import import_project as read_into
from rewardsmith.annotate.store import open_store


def import_project(database: str, path: Path) -> dict[str, Any]:
    """Make the project that `path` holds in the store, with every event as it was.

    Returns:
        Its name, and how many tasks, raters, votes that stand, and events it has.

    Raises:
        DataError: The file is none, is cut off or changed, or the store has a project of that name.
    """
    with contextlib.closing(open_store(database)) as store:
        name = read_into(store, path).name
        return {
            "project": name,
            "tasks": len(store.tasks(name)),
            "raters": len(store.raters(name)),
            "votes": len(store.votes(name)),
            "events": sum(1 for _ in store.events(name)),
        }
