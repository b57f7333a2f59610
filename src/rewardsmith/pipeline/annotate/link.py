"""Access links of raters."""

from __future__ import annotations

import contextlib
from typing import Any

from rewardsmith.annotate.raters import Rater, Role
from rewardsmith.annotate.store import LabelStore, open_store
from rewardsmith.core.errors import DataError, SettingsError


def make_link(
    database: str, project: str, name: str, *, role: Role | None = None, days: int = 14, url: str
) -> dict[str, Any]:
    """A new access link of the rater of that name, who is added where there is none.

    Args:
        role: Of a new rater (`rater` where absent); a known one must have it.
        days: How long the link opens the project.
        url: Where raters reach the server.

    Returns:
        `project`, `rater`, `role`, `days`, and the link's `url`, which is nowhere else.

    Raises:
        DataError: There is no such project.
        SettingsError: The rater has another role.
    """
    with contextlib.closing(open_store(database)) as store:
        rater = _find(store, project, name) or store.add_rater(project, name, role=role or "rater")
        if role is not None and rater.role != role:
            raise SettingsError(
                "the rater has another role", wanted=role, got=rater.role, where=name, fix="name the link's rater anew"
            )
        token = store.make_link(project, rater.id, days=days)
    address = f"{url.rstrip('/')}/a/{token}"
    return {"project": project, "rater": rater.name, "role": rater.role, "days": days, "url": address}


def revoke_links(database: str, project: str, name: str) -> Rater:
    """End all links and sessions of a rater.

    Raises:
        DataError: There is no such project or rater.
    """
    with contextlib.closing(open_store(database)) as store:
        rater = _find(store, project, name)
        if rater is None:
            raise DataError("no such rater", wanted="the name of one", got=name, where=project)
        store.revoke_links(project, rater.id)
    return rater


def _find(store: LabelStore, project: str, name: str) -> Rater | None:
    return next((each for each in store.raters(project) if each.name == name and each.origin == "human"), None)
