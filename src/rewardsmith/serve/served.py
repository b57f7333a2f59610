"""One model that is served: its process, its queue, what it said before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from rewardsmith.core.errors import DataError, ModelError
from rewardsmith.serve.answers import AnswerCache
from rewardsmith.serve.batcher import Batch, Batcher, Depth
from rewardsmith.serve.costs import Costs
from rewardsmith.serve.process import Entry
from rewardsmith.serve.settings import ServeSettings
from rewardsmith.serve.supervisor import State, Supervisor
from rewardsmith.serve.work import Answer, Ask, Card


class Served:
    """A loaded model, ready to answer; made by `load`.

    Args:
        path: Folder or hub id.
        supervisor: Of its process, which has started.
        card: What the process said.
        settings: Of the server.
        on_batch: Called after each batch.
    """

    def __init__(
        self,
        path: str,
        supervisor: Supervisor,
        card: Card,
        settings: ServeSettings,
        *,
        on_batch: Callable[[Batch], None] = lambda _: None,
    ) -> None:
        self.path = path
        self.card = card
        self._supervisor = supervisor
        entries = 0 if card.is_relative else settings.cache_entries
        self._cache = AnswerCache(card.provenance, max_entries=entries)
        self._batcher = Batcher(
            supervisor.answers,
            max_queue_requests=settings.max_queue_requests,
            max_queue_tokens=settings.max_queue_tokens,
            max_batch_tokens=settings.max_batch_tokens,
            max_queue_s=settings.timeout_s / 2 if settings.max_queue_s is None else settings.max_queue_s,
            merges=not card.is_relative,
            costs=Costs(shares_prompts=card.shares_prompts),
            on_batch=on_batch,
        )
        self._n_active = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def state(self) -> State:
        """Whether its process is there."""
        return self._supervisor.state

    @property
    def pid(self) -> int | None:
        """Number of its process as it is now."""
        return self._supervisor.pid

    @property
    def n_restarts(self) -> int:
        """How often its process was started again."""
        return self._supervisor.n_restarts

    @property
    def depth(self) -> Depth:
        """What waits for it."""
        return self._batcher.depth

    @property
    def n_cached(self) -> int:
        """Texts whose scores are remembered."""
        return len(self._cache)

    async def score(self, ask: Ask) -> Answer:
        """The scores of `ask`: those that are known, and those of the others.

        Raises:
            RewardsmithError: See `Batcher.score`.
        """
        self._n_active += 1
        self._idle.clear()
        try:
            return await self._score(ask)
        finally:
            self._n_active -= 1
            if not self._n_active:
                self._idle.set()

    async def _score(self, ask: Ask) -> Answer:
        found = self._cache.find(ask)
        missing = found.missing
        if not missing and len(ask):
            return found.answer(None)
        try:
            answer = await self._batcher.score(ask.take(missing))
        except (DataError, ModelError):
            if len(missing) == len(ask):
                raise
            # It names the place of a text among those that were asked: ask for all, so that it is the right place.
            return await self._batcher.score(ask)
        self._cache.add(found, answer)
        return found.answer(answer)

    async def finish(self, *, timeout_s: float | None = None) -> None:
        """Answer what was taken, then end the process; what is not answered in time fails.

        Args:
            timeout_s: As long as it takes, where absent.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            self._supervisor.kill()
            await self._idle.wait()
        await self._supervisor.stop()


async def load(
    path: str,
    settings: ServeSettings,
    *,
    entry: Entry | None = None,
    on_batch: Callable[[Batch], None] = lambda _: None,
) -> Served:
    """The model at `path`, in a process of its own.

    Args:
        entry: What runs in the process.
        on_batch: Called after each batch.

    Raises:
        RewardsmithError: It cannot be loaded.
    """
    supervisor = Supervisor(path, settings, entry=entry)
    try:
        card = await supervisor.start()
    except BaseException:
        await asyncio.shield(supervisor.stop())
        raise
    return Served(path, supervisor, card, settings, on_batch=on_batch)
