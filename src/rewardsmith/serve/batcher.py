"""The bounded queue before a model: what waits while it works goes in together, and nothing waits while it is idle."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import OverloadError, RewardsmithError, WorkerError
from rewardsmith.serve.costs import Costs
from rewardsmith.serve.work import Answer, Ask, joined_answers

Run = Callable[[Sequence[Ask]], Awaitable[list[Answer | RewardsmithError]]]

_MEMORY = 0.2
"""Weight of the newest batch in the measured speed."""

_LONGEST_WAIT_S = 60.0

_FULL = 0.5
"""Fill from which a batch tells how fast a queue is worked off: small ones take longer a token."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one batch was, for metrics.

    Attributes:
        n_requests: Requests in it, or parts of requests.
        n_texts: Their texts.
        n_tokens: Their tokens, as estimated.
        fill: `n_tokens` over `max_batch_tokens`; more than 1 where one text is larger.
        seconds: From the model's being idle to its being idle again.
    """

    n_requests: int
    n_texts: int
    n_tokens: int
    fill: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Depth:
    """What waits: requests that have not wholly begun, and their tokens, as estimated."""

    requests: int
    tokens: int


@dataclass(slots=True)
class _Waiting:
    """A request in the queue.

    Attributes:
        ask: All its texts.
        costs: Tokens of each.
        prompt: What a request shares with others of its kind.
        reply: Gets the answer, or the error.
        since: When it came.
        begun: How many of its texts have gone to the model.
        parts: What came back.
        queue_s: How long it waited before its first text went.
    """

    ask: Ask
    costs: Sequence[int]
    prompt: Conversation | None
    reply: asyncio.Future[Answer]
    since: float
    begun: int = 0
    parts: list[Answer] = field(default_factory=list)
    queue_s: float = 0.0

    @property
    def tokens_left(self) -> int:
        return sum(self.costs[self.begun :])


class Batcher:
    """Gathers requests into batches for one model.

    No timer: an idle model gets at once what is there; while it works requests gather. The next batch starts with the
    request that has waited longest, then come those that share its prompt, then the others in order, up to
    `max_batch_tokens`. A request that is larger than that goes in several batches, in turn with the others.

    Whoever awaits `score` and is cancelled (the client has gone, its time is up) leaves the queue.

    Args:
        run: Asks the model; one call at a time.
        max_queue_requests: Most requests that wait.
        max_queue_tokens: Most tokens that wait.
        max_queue_s: Longest that a request may be expected to wait, at the speed of the last full batches.
        max_batch_tokens: Tokens of a batch.
        merges: Whether requests may be scored together, and one in parts.
        costs: Tokens of a request before it is tokenised.
        on_batch: Called after each batch.
    """

    def __init__(
        self,
        run: Run,
        *,
        max_queue_requests: int,
        max_queue_tokens: int,
        max_batch_tokens: int,
        max_queue_s: float = math.inf,
        merges: bool = True,
        costs: Costs | None = None,
        on_batch: Callable[[Batch], None] = lambda _: None,
    ) -> None:
        self._run = run
        self._max_requests = max_queue_requests
        self._max_tokens = max_queue_tokens
        self._max_queue_s = max_queue_s
        self._max_batch_tokens = max_batch_tokens
        self._merges = merges
        self._costs = costs or Costs()
        self._on_batch = on_batch
        # In order of arrival; a request that is in the middle goes to the end.
        self._queue: dict[int, _Waiting] = {}
        self._n_tokens = 0
        self._last = 0
        self._is_busy = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._tokens_per_s = math.inf

    @property
    def depth(self) -> Depth:
        """What waits now."""
        return Depth(len(self._queue), self._n_tokens)

    @property
    def tokens_per_s(self) -> float:
        """Speed of the last full batches, and of small ones that were faster, in estimated tokens; infinite before."""
        return self._tokens_per_s

    async def score(self, ask: Ask) -> Answer:
        """The answer to `ask`.

        Raises:
            OverloadError: The queue is full.
            RewardsmithError: What the model says against it.
        """
        costs = self._costs.of(ask)
        self._require_room(sum(costs))
        loop = asyncio.get_running_loop()
        waiting = _Waiting(ask, costs, _prompt(ask), loop.create_future(), time.perf_counter())
        self._last += 1
        number = self._last
        self._add(number, waiting)
        # Not now but when the loop comes round: what arrived in the same moment then goes in together.
        loop.call_soon(self._begin)
        try:
            return await waiting.reply
        finally:
            self._remove(number)

    def _require_room(self, tokens: int) -> None:
        if not self._queue:
            return
        if len(self._queue) >= self._max_requests or self._excess(tokens) > 0:
            wait_s = self._n_tokens / self._tokens_per_s
            raise OverloadError(
                "the queue is full",
                wanted=f"at most {self._max_requests} requests, {self._max_tokens} tokens, {self._max_queue_s:g} s",
                got=f"{len(self._queue)} requests, {self._n_tokens} tokens, about {wait_s:.0f} s, and {tokens} tokens",
                fix="send it again after the time in Retry-After",
                retry_after_s=self.retry_after_s(tokens),
            )

    def _excess(self, tokens: int) -> float:
        """Tokens that have to go before so many may come: more than may wait, or than would be answered in time."""
        return self._n_tokens + tokens - min(self._max_tokens, self._max_queue_s * self._tokens_per_s)

    def retry_after_s(self, tokens: int = 0) -> float:
        """When there may be room for `tokens`: the time to work off what has to go first."""
        has_to_go = max(self._excess(tokens), self._n_tokens / max(1, len(self._queue)))
        return min(_LONGEST_WAIT_S, max(1.0, has_to_go / self._tokens_per_s))

    def _add(self, number: int, waiting: _Waiting) -> None:
        self._queue[number] = waiting
        self._n_tokens += waiting.tokens_left

    def _remove(self, number: int) -> None:
        waiting = self._queue.pop(number, None)
        if waiting is not None:
            self._n_tokens -= waiting.tokens_left

    def _begin(self) -> None:
        if self._is_busy or not self._queue:
            return
        self._is_busy = True
        task = asyncio.get_running_loop().create_task(self._work(self._taken()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, batch: Sequence[tuple[_Waiting, range]]) -> None:
        started = time.perf_counter()
        try:
            answers = await self._run([waiting.ask.take(places) for waiting, places in batch])
        except Exception as error:
            failed = error if isinstance(error, RewardsmithError) else WorkerError("the model failed", got=repr(error))
            answers = [failed] * len(batch)
        self._is_busy = False
        self._begin()
        for (waiting, _), answer in zip(batch, answers, strict=True):
            self._reply(waiting, answer)
        self._note(batch, answers, time.perf_counter() - started)

    def _reply(self, waiting: _Waiting, answer: Answer | RewardsmithError) -> None:
        if waiting.reply.done():
            return
        if isinstance(answer, RewardsmithError):
            waiting.reply.set_exception(answer)
            return
        waiting.parts.append(answer)
        if len(waiting.parts[0].scores) == len(waiting.ask):
            waiting.reply.set_result(replace(answer, queue_s=waiting.queue_s))
        elif sum(len(part.scores) for part in waiting.parts) == len(waiting.ask):
            waiting.reply.set_result(replace(joined_answers(waiting.parts), queue_s=waiting.queue_s))

    def _taken(self) -> list[tuple[_Waiting, range]]:
        """The next batch: requests, and which of their texts."""
        room = self._max_batch_tokens
        batch: list[tuple[_Waiting, range]] = []
        rest: list[int] = []
        for number in self._in_turn():
            waiting = self._queue[number]
            if batch and not self._fits(waiting, room):
                continue
            places = waiting_places(waiting.costs, begun=waiting.begun, room=room) if self._merges else None
            places = range(len(waiting.ask)) if places is None else places
            room -= sum(waiting.costs[place] for place in places)
            batch.append((waiting, places))
            rest.append(number)
            if room <= 0 or not self._merges:
                break
        for number, (waiting, places) in zip(rest, batch, strict=True):
            self._mark_begun(number, waiting, places)
        return batch

    def _fits(self, waiting: _Waiting, room: int) -> bool:
        """All that is left of it; of a request that must be cut anyhow its next text."""
        left = waiting.tokens_left
        is_cut = self._merges and left > self._max_batch_tokens
        return waiting.costs[waiting.begun] <= room if is_cut else left <= room

    def _in_turn(self) -> list[int]:
        """The request that has waited longest, those that share its prompt, and the others."""
        numbers = list(self._queue)
        prompt = self._queue[numbers[0]].prompt
        if prompt is None:
            return numbers
        return sorted(numbers, key=lambda number: self._queue[number].prompt != prompt)

    def _mark_begun(self, number: int, waiting: _Waiting, places: range) -> None:
        if not waiting.begun:
            waiting.queue_s = time.perf_counter() - waiting.since
        self._remove(number)
        waiting.begun = places.stop
        if waiting.begun < len(waiting.ask):
            self._add(number, waiting)

    def _note(
        self,
        batch: Sequence[tuple[_Waiting, range]],
        answers: Sequence[Answer | RewardsmithError],
        seconds: float,
    ) -> None:
        n_tokens = sum(waiting.costs[place] for waiting, places in batch for place in places)
        fill = n_tokens / self._max_batch_tokens
        speed, before = n_tokens / max(seconds, 1e-6), self._tokens_per_s
        # One that is fast though it is small shows that the estimate is too low, say by a machine that slept: else the
        # queue would be kept so short that no full batch came to mend it.
        if fill >= _FULL or not self._merges or speed > before:
            self._tokens_per_s = speed if math.isinf(before) else (1 - _MEMORY) * before + _MEMORY * speed
        for (waiting, places), answer in zip(batch, answers, strict=True):
            if isinstance(answer, Answer):
                self._costs.learn(waiting.ask.take(places), answer)
        n_texts = sum(len(places) for _, places in batch)
        self._on_batch(Batch(len(batch), n_texts, n_tokens, fill, seconds))


def waiting_places(costs: Sequence[int], *, begun: int, room: int) -> range:
    """As many of the texts from `begun` on as cost `room` tokens at most, and at least one."""
    end = begun + 1
    spent = costs[begun]
    while end < len(costs) and spent + costs[end] <= room:
        spent += costs[end]
        end += 1
    return range(begun, end)


def _prompt(ask: Ask) -> Conversation | None:
    return ask.conversations[0][:-1] if ask.conversations else None
