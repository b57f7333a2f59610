"""The whole application behind a real uvicorn on a free port of 127.0.0.1, with models in processes or in this one."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import uvicorn

from rewardsmith.core.errors import UnknownModelError, WorkerError
from rewardsmith.serve.answering import Answering
from rewardsmith.serve.app import create_app
from rewardsmith.serve.batcher import Batch
from rewardsmith.serve.models import ServedModel, ServedModels
from rewardsmith.serve.settings import ServeSettings
from rewardsmith.serve.standing import load_standing
from rewardsmith.serve.work import Answer, Ask
from rewardsmith.serve.worker import LoadOptions, load

UNGATED = ServeSettings(port=0, allow_ungated=True, precision="float32", threads=1)
"""Of a server for tests."""


class InProcessModels:
    """Models that answer in a thread of this process: as `ServedModels`, but for the processes and the queue.

    Args:
        temperatures: Name of a model → T; what lies beside the model where absent.
    """

    def __init__(self, settings: ServeSettings, *, temperatures: Mapping[str, float] = MappingProxyType({})) -> None:
        self.settings = settings
        self._temperatures = temperatures
        self._models: dict[str, tuple[ServedModel, Answering]] = {}
        self._thread = ThreadPoolExecutor(1)

    def observe(self, on_batch: Callable[[str, Batch], None]) -> None:
        """Nothing is put into batches."""

    def listing(self) -> tuple[ServedModel, ...]:
        """All models; the first one is the default."""
        return tuple(model for model, _ in self._models.values())

    def find(self, name: str | None) -> ServedModel:
        """The model of that name, or the first one."""
        if not name and self._models:
            return next(iter(self._models.values()))[0]
        if name not in self._models:
            raise UnknownModelError("no such model", wanted=f"one of {', '.join(self._models)}", got=name)
        return self._models[name][0]

    @property
    def is_ready(self) -> bool:
        """Whether there is a model."""
        return bool(self._models)

    async def score(self, model: str | None, ask: Ask) -> Answer:
        """The answer of a model."""
        answering = self._models[self.find(model).name][1]
        loop = asyncio.get_running_loop()
        [found] = await loop.run_in_executor(self._thread, answering.answers, [ask])
        if isinstance(found, Answer):
            return found
        raise found

    async def load(self, name: str, path: str) -> ServedModel:
        """Load a model."""
        scorer, card = load(path, LoadOptions(precision="float32"))
        model = ServedModel(
            name,
            path,
            "ready",
            family=card.family,
            provenance=card.provenance,
            max_tokens=card.max_tokens,
            can=card.can,
            is_relative=card.is_relative,
            verdict=load_standing(path, digest=card.provenance.model_digest),
            temperature=self._temperatures.get(name, card.temperature),
        )
        self._models[name] = model, Answering(scorer)
        return model

    async def swap(self, name: str, path: str) -> ServedModel:
        """Put another model in the place of one."""
        return await self.load(name, path)

    async def unload(self, name: str) -> None:
        """Forget a model."""
        del self._models[self.find(name).name]

    async def drain(self) -> None:
        """There is nothing to wait for."""
        self._thread.shutdown()


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that runs.

    Attributes:
        url: Of its root.
        models: What it serves.
        run: Runs a coroutine in the server's event loop, and gives its result.
    """

    url: str
    models: Any
    run: Callable[[Any], Any]


@contextlib.contextmanager
def serving(
    folders: Mapping[str, Path],
    settings: ServeSettings = UNGATED,
    *,
    kind: Callable[[ServeSettings], Any] = ServedModels,
) -> Iterator[Serving]:
    """A server of the models in `folders`, until the end of the block.

    Args:
        kind: `ServedModels`, or `InProcessModels`.
    """
    ready: Future[tuple[uvicorn.Server, Any, asyncio.AbstractEventLoop]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(folders, settings, kind, ready)), daemon=True)
    thread.start()
    server, models, loop = ready.result(timeout=120)
    port = server.servers[0].sockets[0].getsockname()[1]

    def run(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(timeout=120)

    try:
        yield Serving(f"http://127.0.0.1:{port}", models, run)
    finally:
        server.should_exit = True
        thread.join(timeout=60)


class _Server(uvicorn.Server):
    """Leaves the signals of the tests' own process alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(folders: Mapping[str, Path], settings: ServeSettings, kind: Any, ready: Future[Any]) -> None:
    try:
        models = kind(settings)
        for name, folder in folders.items():
            await models.load(name, str(folder))
        config = uvicorn.Config(create_app(models, settings), host="127.0.0.1", port=0, log_config=None, lifespan="off")
        server = _Server(config)
        serving_task = asyncio.create_task(server.serve())
        while not server.started and not serving_task.done():
            await asyncio.sleep(0.01)
    except BaseException as error:
        ready.set_exception(error)
        raise
    ready.set_result((server, models, asyncio.get_running_loop()))
    await serving_task
    with contextlib.suppress(WorkerError):
        await models.drain()
