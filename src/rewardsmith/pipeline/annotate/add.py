"""Tasks from files into a labelling project."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rewardsmith.annotate.sources.outcome import Left
from rewardsmith.annotate.sources.read import read_tasks
from rewardsmith.annotate.sources.settings import AddSettings
from rewardsmith.annotate.store import open_store


def add(database: str, project: str, paths: Sequence[str], *, settings: AddSettings) -> dict[str, Any]:
    """Add the tasks of each of `paths` to the project. What it has already, by its id, is left as it is.

    All are read before the first is added, so that a file that cannot be read changes nothing.

    Returns:
        `new` and `known` tasks, how each source was `read`, and what was `left` out: reason, count, the first one.

    Raises:
        DataError: There is no such project, or a source gives no task.
        SettingsError: A key of the reading is wrong.
    """
    with contextlib.closing(open_store(database)) as store:
        asks = store.project(project)
        found = [(path, read_tasks(path, asks, settings=settings)) for path in paths]
        new = known = 0
        for _, each in found:
            added = store.add_tasks(project, each.tasks)
            new, known = new + added.new, known + added.known
    counts: Counter[str] = Counter()
    first: dict[str, Left] = {}
    for _, each in found:
        counts.update(each.left)
        first = {**each.first, **first}
    return {
        "project": project,
        "new": new,
        "known": known,
        "gold": sum(task.gold is not None for _, each in found for task in each.tasks),
        "read": {path: each.kind for path, each in found},
        "left": [
            {"reason": reason, "count": count, "where": first[reason].where, "because": first[reason].detail}
            for reason, count in counts.most_common()
        ],
    }
