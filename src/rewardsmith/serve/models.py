"""The models of a server by name: loaded, swapped and unloaded while others are asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rewardsmith.core.errors import DeadlineError, RewardsmithError, SettingsError, UnknownModelError, WorkerError
from rewardsmith.core.scores import Provenance
from rewardsmith.serve.batcher import Batch, Depth
from rewardsmith.serve.process import Entry
from rewardsmith.serve.served import Served, load
from rewardsmith.serve.settings import ServeSettings
from rewardsmith.serve.standing import GateStanding, load_standing, require_standing
from rewardsmith.serve.work import Ability, Answer, Ask

logger = logging.getLogger(__name__)

ModelState = Literal["loading", "ready", "failed", "draining"]

_UNGATED = GateStanding("ungated")
_NOTHING_WAITS = Depth(0, 0)


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What is known of a model of the server, at this moment.

    Attributes:
        name: As requests say it.
        path: Folder or hub id.
        state: `loading` (the first time, or its process is started again), `ready`, `failed`, or `draining`: it is
            being unloaded and takes no more requests.
        family: `single`, or what `scorer.json` says; empty while it is loading.
        provenance: Digests of weights and template; absent while it is loading.
        max_tokens: Longest text; absent where the family does not tell.
        verdict: What the gate said of these weights.
        can: What it takes beside conversations, and gives beside rewards.
        temperature: T of the evaluation, for σ(difference / T); absent without one.
        precision: Of the network's arithmetic.
        is_relative: Its rewards compare the answers of one request.
        pid: Number of its process.
        n_restarts: How often the process was started again.
        n_cached: Texts whose scores are remembered.
        depth: What waits for it.
        error: Why it failed.
    """

    name: str
    path: str
    state: ModelState
    family: str = ""
    provenance: Provenance | None = None
    max_tokens: int | None = None
    verdict: GateStanding = _UNGATED
    can: frozenset[Ability] = frozenset()
    temperature: float | None = None
    precision: Literal["float32", "bf16"] = "float32"
    is_relative: bool = False
    pid: int | None = None
    n_restarts: int = 0
    n_cached: int = 0
    depth: Depth = _NOTHING_WAITS
    error: str | None = None


@dataclass(slots=True)
class _Slot:
    """A name, and what stands under it.

    Attributes:
        path: Of the model, or of the one that is being loaded.
        served: The model; absent while the first is being loaded, and where it failed.
        verdict: Of the model.
        is_draining: It is being unloaded.
        is_changing: Another one is being loaded.
        error: Why there is no model.
    """

    path: str
    served: Served | None = None
    verdict: GateStanding = _UNGATED
    is_draining: bool = False
    is_changing: bool = False
    error: str | None = None


class ServedModels:
    """The models of a server. Everything is called from one event loop.

    Args:
        settings: Of the server.
        on_batch: Called with the model's name after each batch: for metrics.
        entry: What runs in a model's process; see `serve.process`.
    """

    def __init__(
        self,
        settings: ServeSettings,
        *,
        on_batch: Callable[[str, Batch], None] = lambda *_: None,
        entry: Entry | None = None,
    ) -> None:
        self.settings = settings
        self._on_batch = on_batch
        self._entry = entry
        self._slots: dict[str, _Slot] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._is_draining = False

    def observe(self, on_batch: Callable[[str, Batch], None]) -> None:
        """Call `on_batch` with the model's name after each batch, in the place of what was called before."""
        self._on_batch = on_batch

    def listing(self) -> tuple[ServedModel, ...]:
        """All models; the first one is the default."""
        return tuple(_described(name, slot) for name, slot in self._slots.items())

    def find(self, name: str | None) -> ServedModel:
        """The model of that name, or the default where there is no name.

        Raises:
            UnknownModelError: There is none.
        """
        known = self._name(name)
        return _described(known, self._slots[known])

    @property
    def is_ready(self) -> bool:
        """Whether there is a model, and all are ready."""
        models = self.listing()
        return bool(models) and not self._is_draining and all(each.state == "ready" for each in models)

    async def score(self, model: str | None, ask: Ask) -> Answer:
        """The answer of a model to a request; no texts give no scores.

        A caller that is cancelled (its client has gone) takes its request out of the queue.

        Args:
            model: Its name; the default where absent or empty.

        Raises:
            UnknownModelError: There is none of that name.
            WorkerError: It is not ready, or its process failed on the request.
            OverloadError: Its queue is full.
            DeadlineError: The answer took too long.
            RewardsmithError: The model cannot score one of the texts.
        """
        name = self._name(model)
        served = self._ready(name)
        try:
            async with asyncio.timeout(self.settings.timeout_s):
                return await served.score(ask)
        except TimeoutError as error:
            raise DeadlineError(
                "the answer takes too long",
                wanted=f"at most {self.settings.timeout_s:g} s",
                where=name,
                fix="send fewer texts in a request, or come when less is to do",
            ) from error

    async def load(self, name: str, path: str) -> ServedModel:
        """Load another model.

        Raises:
            SettingsError: The name is taken.
            ModelError: The model cannot be loaded, or has not passed its gate and the settings ask for that.
        """
        taken = self._slots.get(name)
        if taken is not None and (taken.served is not None or taken.is_changing):
            raise SettingsError(
                "the name is taken", wanted="another name", got=name, fix="swap the model, or unload it"
            )
        slot = self._slots[name] = _Slot(path)
        await self._fill(name, slot, path)
        return self.find(name)

    async def swap(self, name: str, path: str) -> ServedModel:
        """Put another model in the place of one. The new one is loaded first; the old one finishes what it took.

        Raises:
            UnknownModelError: There is no model of that name.
            SettingsError: It is being swapped already.
            ModelError: See `load`; the old model goes on then.
        """
        slot = self._slots[self._name(name)]
        if slot.is_changing or slot.is_draining:
            raise SettingsError("the model is being changed already", got=name, fix="wait until that is done")
        await self._fill(name, slot, path)
        return self.find(name)

    async def unload(self, name: str) -> None:
        """Take no more requests for a model, finish those that were taken, and end its process.

        Raises:
            UnknownModelError: There is no model of that name.
            SettingsError: It is being loaded or swapped.
        """
        slot = self._slots[self._name(name)]
        if slot.is_changing:
            raise SettingsError("the model is being changed", got=name, fix="wait until that is done")
        slot.is_draining = True
        if slot.served is not None:
            await slot.served.finish(timeout_s=self.settings.drain_s)
        if self._slots.get(name) is slot:
            del self._slots[name]

    async def drain(self, *, timeout_s: float | None = None) -> None:
        """Take no more requests, finish those that were taken, and end all processes.

        Args:
            timeout_s: When what is not answered fails; `drain_s` of the settings where absent.
        """
        self._is_draining = True
        limit = self.settings.drain_s if timeout_s is None else timeout_s
        served = [slot.served for slot in self._slots.values() if slot.served is not None]
        for slot in self._slots.values():
            slot.is_draining = True
        await asyncio.gather(*(each.finish(timeout_s=limit) for each in served), *self._leaving)

    def _name(self, name: str | None) -> str:
        if not name and self._slots:
            return next(iter(self._slots))
        if name in self._slots:
            return name
        raise UnknownModelError(
            "no such model",
            wanted=f"one of {', '.join(self._slots) or 'none: no model is loaded'}",
            got=name,
            where="model",
        )

    def _ready(self, name: str) -> Served:
        slot = self._slots[name]
        if slot.served is None or slot.is_draining:
            state = _described(name, slot).state
            raise WorkerError(
                f"the model is {state}", where=name, got=slot.error, fix="send the request again when it is ready"
            )
        return slot.served

    async def _fill(self, name: str, slot: _Slot, path: str) -> None:
        """Load the model at `path` and put it into the slot; on failure the slot is as it was."""
        slot.is_changing, slot.error = True, None
        try:
            served, verdict = await self._loaded(name, path)
        except RewardsmithError as error:
            slot.error = None if slot.served is not None else str(error)
            raise
        finally:
            slot.is_changing = False
        before = slot.served
        slot.path, slot.served, slot.verdict = path, served, verdict
        if self._is_draining:
            slot.served = before
            await served.finish(timeout_s=0)
            raise WorkerError("the server is stopping", where=name)
        if before is not None:
            self._leave(before)

    async def _loaded(self, name: str, path: str) -> tuple[Served, GateStanding]:
        served = await load(path, self.settings, entry=self._entry, on_batch=lambda batch: self._on_batch(name, batch))
        try:
            digest = served.card.provenance.model_digest
            verdict = await asyncio.to_thread(load_standing, path, digest=digest, verdicts=self.settings.verdicts)
            require_standing(verdict, name=name, allow_ungated=self.settings.allow_ungated)
        except BaseException:
            await served.finish()
            raise
        logger.info("%s serves %s (%s, %s)", name, path, served.card.family, served.card.precision)
        return served, verdict

    def _leave(self, served: Served) -> None:
        task = asyncio.get_running_loop().create_task(served.finish(timeout_s=self.settings.timeout_s))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


def _described(name: str, slot: _Slot) -> ServedModel:
    served = slot.served
    if served is None:
        state: ModelState = "loading" if slot.is_changing else "failed"
        return ServedModel(name, slot.path, state, verdict=slot.verdict, error=slot.error)
    card = served.card
    return ServedModel(
        name=name,
        path=slot.path,
        state="draining" if slot.is_draining else served.state,
        family=card.family,
        provenance=card.provenance,
        max_tokens=card.max_tokens,
        verdict=slot.verdict,
        can=card.can,
        temperature=card.temperature,
        precision=card.precision,
        is_relative=card.is_relative,
        pid=served.pid,
        n_restarts=served.n_restarts,
        n_cached=served.n_cached,
        depth=served.depth,
        error=slot.error,
    )
