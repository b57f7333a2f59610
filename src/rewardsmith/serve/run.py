"""A server from its first moment to its last: it listens, loads its models, serves, and finishes what it took."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rewardsmith.core.errors import SettingsError
from rewardsmith.serve.app import create_app
from rewardsmith.serve.models import ServedModel, ServedModels
from rewardsmith.serve.settings import ServeSettings
from rewardsmith.web.keys import require_keys
from rewardsmith.web.listening import Server, listen, on_signals, url_of

_TO_WRITE_S = 5.0
"""After the last answer is there, connections have so long to take it."""

_LINGER_S = 0.5
"""After a signal connections stay open for so long: what was on its way then is told that the server stops, and is not
cut off."""

_NAMED = re.compile(r"(?P<name>[\w.:-]+)=(?P<path>.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Ready:
    """What is told when all models are there.

    Attributes:
        url: Where the server listens.
        models: The first one is the default.
    """

    url: str
    models: tuple[ServedModel, ...]


def named_models(arguments: Sequence[str]) -> dict[str, str]:
    """Name → path of `NAME=MODEL` and of `MODEL`, whose name is its folder's.

    Raises:
        SettingsError: There is none, or two have one name.
    """
    named: dict[str, str] = {}
    for argument in arguments:
        match = None if Path(argument).exists() else _NAMED.fullmatch(argument)
        path = argument if match is None else match["path"]
        name = (Path(path).resolve().name if Path(path).is_dir() else path) if match is None else match["name"]
        if name in named:
            raise SettingsError("two models of one name", got=name, fix="name them: a=FOLDER b=FOLDER")
        named[name] = path
    if not named:
        raise SettingsError("nothing to serve", wanted="a model", fix="rewardsmith serve FOLDER")
    return named


def serve(
    paths: Mapping[str, str], settings: ServeSettings, *, on_ready: Callable[[Ready], None] = lambda _: None
) -> None:
    """Serve models until SIGTERM or SIGINT.

    It listens at once, and is ready when the models are loaded. On the first signal it takes no more requests and
    finishes what it took, `drain_s` seconds at most; on the second it ends.

    Args:
        paths: Name → folder or hub id; the first one is the default.
        on_ready: Called when all models are loaded.

    Raises:
        SettingsError: The address cannot be used, or is open to others without keys.
        ModelError: A model cannot be loaded, or has not passed its gate and the settings ask for that.
    """
    require_keys(settings.host, has_keys=settings.keys_file is not None, no_keys=settings.no_keys)
    with contextlib.closing(listen(settings.host, settings.port)) as listening:
        asyncio.run(_serve(paths, settings, listening, on_ready))


async def _serve(
    paths: Mapping[str, str], settings: ServeSettings, listening: socket.socket, on_ready: Callable[[Ready], None]
) -> None:
    models = ServedModels(settings)
    app = create_app(models, settings)
    server = Server(app, drain_s=settings.drain_s + _TO_WRITE_S)
    loading = asyncio.create_task(_load(models, paths))
    drains: list[asyncio.Task[None]] = []

    def stop() -> None:
        """At the first signal the models finish; at the second they are ended."""
        server.force_exit = bool(drains)
        drains.append(asyncio.create_task(models.drain(timeout_s=0 if drains else None)))
        loading.cancel()
        asyncio.get_running_loop().call_later(0 if server.force_exit else _LINGER_S, end)

    def end() -> None:
        server.should_exit = True

    def go_on(task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        if task.exception() is not None:
            end()
        else:
            on_ready(Ready(url_of(settings.host, listening), models.listing()))

    loading.add_done_callback(go_on)
    with on_signals(stop):
        await server.serve(sockets=[listening])
        loading.cancel()
        await asyncio.wait([loading])
        await asyncio.gather(models.drain(), *drains)
    app.state.watch.close()
    if not loading.cancelled():
        loading.result()


async def _load(models: ServedModels, paths: Mapping[str, str]) -> None:
    """One after the other: two that load at once want memory for both, and the same cores."""
    for name, path in paths.items():
        await models.load(name, path)
