"""Serve the labelling pages."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from rewardsmith.annotate import run
from rewardsmith.annotate.server_settings import ServerSettings
from rewardsmith.annotate.store import open_store


def serve(database: str, settings: ServerSettings, *, on_ready: Callable[[str], None] = lambda _: None) -> None:
    """Serve the label store at `database` until a signal says stop.

    Raises:
        SettingsError: The database or the address cannot be used.
    """
    with contextlib.closing(open_store(database)) as store:
        run.serve(store, settings, on_ready=on_ready)
