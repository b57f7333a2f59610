"""A server's socket, its signals, and uvicorn between them."""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn
from fastapi import FastAPI

from rewardsmith.core.errors import SettingsError

_BACKLOG = 2048

_KEEP_ALIVE_S = 75
"""Longer than the pools of most clients keep a connection, so that the server is not the one that closes it under a
request."""


class Server(uvicorn.Server):
    """Leaves signals to `on_signals`: uvicorn would die by them as soon as it has closed its connections.

    Args:
        app: What is served; its own start and end are not uvicorn's affair.
        drain_s: How long open connections may go on after `should_exit`.
    """

    def __init__(self, app: FastAPI, *, drain_s: float) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                backlog=_BACKLOG,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=math.ceil(drain_s),
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: see the class."""
        yield


@contextlib.contextmanager
def on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` in the running loop at SIGINT and at SIGTERM, each time."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens already: nobody else can take the port, and who comes early waits in its queue.

    Args:
        port: 0 takes a free one.

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


def url_of(host: str, listening: socket.socket) -> str:
    """Where `listening` is reached under the name `host`."""
    port = listening.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
