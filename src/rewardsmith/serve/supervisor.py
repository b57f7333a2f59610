"""Keeps a model's process alive: started again when it dies, and the batch that it held asked again."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Literal, TypeVar

from rewardsmith.core.errors import RewardsmithError, WorkerError
from rewardsmith.serve.process import Entry, ModelProcess, ProcessEndedError, ProcessHungError
from rewardsmith.serve.settings import ServeSettings
from rewardsmith.serve.work import Answer, Ask, Card

logger = logging.getLogger(__name__)

State = Literal["loading", "ready", "failed"]
R = TypeVar("R")

_SHORT_LIFE_S = 5.0
"""A process that lived for less is not started again until somebody asks."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0
"""After a start that failed, the next one waits: a second, then twice as long each time."""


class Supervisor:
    """One model's process and whoever takes its place.

    A batch whose process dies is asked once more, of a new process. If that dies too, the batch is halved until the
    requests that end processes are alone; these fail, and their neighbours are answered.

    Args:
        path: Folder or hub id of the model.
        settings: Of the server.
        entry: What runs in the process.
    """

    def __init__(self, path: str, settings: ServeSettings, *, entry: Entry | None = None) -> None:
        self.state: State = "loading"
        self.n_restarts = 0
        self._path = path
        self._settings = settings
        self._entry = entry
        self._options = {
            "precision": settings.precision,
            "threads": settings.threads,
            "max_text_tokens": settings.max_text_tokens,
            "cache": settings.cache_folder,
            "evaluations": settings.evaluations,
        }
        # One thread: a process is spoken to by one at a time, and asked in order.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rewardsmith-model")
        self._process: ModelProcess | None = None
        self._card: Card | None = None
        self._has_ended = True
        self._is_stopping = False
        self._stopping: asyncio.Task[None] | None = None
        self._started_at = 0.0
        self._pause_s = _FIRST_PAUSE_S
        self._not_before = 0.0

    @property
    def pid(self) -> int | None:
        """Number of the process as it is now."""
        return None if self._process is None else self._process.pid

    async def start(self) -> Card:
        """Load the model.

        Raises:
            RewardsmithError: It cannot be loaded.
        """
        return await self._in_thread(self._started)

    async def answers(self, asks: Sequence[Ask]) -> list[Answer | RewardsmithError]:
        """One answer, or what is wrong, for each request, in order."""
        return await self._in_thread(lambda: self._answers(asks, attempts=2))

    async def stop(self) -> None:
        """End the process, which has been idle or killed before. Twice is once."""
        self._is_stopping = True
        if self._stopping is None:
            self._stopping = asyncio.get_running_loop().create_task(self._stop())
        await asyncio.shield(self._stopping)

    async def _stop(self) -> None:
        if self._process is not None and self.state == "loading":
            self._process.kill()
        await self._in_thread(self._end)
        self._thread.shutdown(wait=False)

    def kill(self) -> None:
        """End the process at once and for good: whoever waits for it gets an error."""
        self._is_stopping = True
        if self._process is not None:
            self._process.kill()

    async def _in_thread(self, work: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _answers(self, asks: Sequence[Ask], *, attempts: int) -> list[Answer | RewardsmithError]:
        for _ in range(attempts):
            try:
                process = self._alive()
            except RewardsmithError as error:
                return [error] * len(asks)
            try:
                return process.ask(asks, timeout_s=self._settings.batch_timeout_s)
            except ProcessEndedError:
                self._has_ended = True
                logger.warning("the process of %s ended over a batch of %d requests", self._path, len(asks))
            except ProcessHungError:
                self._has_ended = True
                return [self._hung()] * len(asks)
        if len(asks) == 1:
            logger.error("one request ended the process of %s each time; it is refused", self._path)
            return [WorkerError("the model's process ended over this request", fix="send it in another form, or not")]
        half = len(asks) // 2
        return self._answers(asks[:half], attempts=1) + self._answers(asks[half:], attempts=1)

    def _hung(self) -> WorkerError:
        return WorkerError(
            "the model's process was silent for too long, and was ended",
            wanted=f"an answer within {self._settings.batch_timeout_s:g} s",
            where=self._path,
        )

    def _alive(self) -> ModelProcess:
        """The process, started again where it has ended.

        Raises:
            WorkerError: It cannot be, or must not.
        """
        if self._is_stopping:
            raise WorkerError("the model is being unloaded", fix="send the request again")
        if self._process is not None and not self._has_ended:
            return self._process
        if time.monotonic() < self._not_before:
            raise WorkerError("the model's process does not start", fix="send the request again later")
        try:
            self.n_restarts += 1
            self._started()
        except RewardsmithError as error:
            self._not_before = time.monotonic() + self._pause_s
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
            logger.error("the process of %s does not start again: %s", self._path, error)
            raise WorkerError("the model's process does not start", got=str(error), where=self._path) from error
        self._pause_s = _FIRST_PAUSE_S
        assert self._process is not None
        return self._process

    def _started(self) -> Card:
        self._end()
        self.state = "loading"
        process = self._process = ModelProcess(self._path, self._options, entry=self._entry, on_end=self._on_end)
        try:
            card = process.start(timeout_s=self._settings.load_timeout_s)
            self._require_same(card)
        except RewardsmithError:
            self.state = "failed"
            self._end()
            raise
        self._card, self._has_ended = card, False
        self._started_at = time.monotonic()
        self.state = "ready"
        return card

    def _require_same(self, card: Card) -> None:
        """A folder that was written over must be loaded under its own verdict, not slip in by a restart."""
        if self._card is not None and card.provenance != self._card.provenance:
            raise WorkerError(
                "the model's folder holds other weights than before",
                wanted=self._card.provenance.model_digest[:12],
                got=card.provenance.model_digest[:12],
                where=self._path,
                fix="swap the model for the new one",
            )

    def _end(self) -> None:
        process, self._process, self._has_ended = self._process, None, True
        if process is not None:
            process.end()

    def _on_end(self) -> None:
        """A process that dies with nothing to do is started again before somebody waits for it."""
        if self._is_stopping or self.state != "ready" or time.monotonic() - self._started_at < _SHORT_LIFE_S:
            return
        with suppress(RuntimeError):  # the thread was shut down just now
            self._thread.submit(self._revive)

    def _revive(self) -> None:
        if self._process is not None and self._process.has_ended:
            self._has_ended = True
            with suppress(RewardsmithError):
                self._alive()
