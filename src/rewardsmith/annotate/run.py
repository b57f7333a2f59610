"""The labelling server from its first moment to its last: it listens, serves, and finishes what it took."""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn

from rewardsmith.annotate.app import create_app
from rewardsmith.annotate.server_settings import ServerSettings
from rewardsmith.annotate.store import LabelStore
from rewardsmith.core.errors import SettingsError

_BACKLOG = 2048
_KEEP_ALIVE_S = 75


def serve(store: LabelStore, settings: ServerSettings, *, on_ready: Callable[[str], None] = lambda _: None) -> None:
    """Serve the pages until SIGTERM or SIGINT; then no more is taken, and what was taken is finished.

    Args:
        on_ready: Called with the address when the server listens.

    Raises:
        SettingsError: The address cannot be used.
    """
    with contextlib.closing(_listening(settings.host, settings.port)) as listening:
        asyncio.run(_serve(store, settings, listening, on_ready))


class _Server(uvicorn.Server):
    """Leaves signals to `_serve`: uvicorn would die by them once it has closed its connections."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(
    store: LabelStore, settings: ServerSettings, listening: socket.socket, on_ready: Callable[[str], None]
) -> None:
    config = uvicorn.Config(
        create_app(store, settings),
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=math.ceil(settings.drain_s),
    )
    server, loop = _Server(config), asyncio.get_running_loop()

    def stop() -> None:
        """At the first signal what was taken is finished; at the second it is not."""
        server.force_exit = server.should_exit
        server.should_exit = True

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        # The socket listens already: what comes before the server runs waits in its queue.
        on_ready(settings.public_url or _url(settings.host, listening.getsockname()[1]))
        await server.serve(sockets=[listening])
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        SettingsError: The address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named: asyncio turns Nagle's delay off, 40 ms a reply, only where it reads that this is TCP.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise SettingsError(
            "cannot listen", got=error, where=f"{host}:{port}", fix="name another port; --port 0 takes a free one"
        ) from error
    return listening


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
