"""The labelling server from its first moment to its last: it listens, serves, and finishes what it took."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

from rewardsmith.annotate.app import create_app
from rewardsmith.annotate.server_settings import ServerSettings
from rewardsmith.annotate.store import LabelStore
from rewardsmith.web.listening import Server, listen, on_signals, url_of


def serve(store: LabelStore, settings: ServerSettings, *, on_ready: Callable[[str], None] = lambda _: None) -> None:
    """Serve the pages until SIGTERM or SIGINT; then no more is taken, and what was taken is finished.

    Args:
        on_ready: Called with the address when the server listens.

    Raises:
        SettingsError: The address cannot be used.
    """
    with contextlib.closing(listen(settings.host, settings.port)) as listening:
        asyncio.run(_serve(store, settings, listening, on_ready))


async def _serve(
    store: LabelStore, settings: ServerSettings, listening: socket.socket, on_ready: Callable[[str], None]
) -> None:
    server = Server(create_app(store, settings), drain_s=settings.drain_s)

    def stop() -> None:
        """At the first signal what was taken is finished; at the second it is not."""
        server.force_exit = server.should_exit
        server.should_exit = True

    with on_signals(stop):
        on_ready(settings.public_url or url_of(settings.host, listening))
        await server.serve(sockets=[listening])
