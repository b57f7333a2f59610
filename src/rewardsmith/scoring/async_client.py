"""The scorer behind a URL, for programs that run on an event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Self

import httpx2
import numpy as np

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.scores import Scores
from rewardsmith.scoring.client import CALLS, KEY_VARIABLE, LOST, MOST_BYTES, http_options, loaded_provenance, lost
from rewardsmith.scoring.limits import Overlength
from rewardsmith.scoring.remote import RemoteRequest, parse_address
from rewardsmith.scoring.remote_reply import (
    RemoteModel,
    RemoteReply,
    is_one_model,
    join_replies,
    parse_models,
    parse_rewards,
)
from rewardsmith.scoring.tries import Lost, Received, Send, TryLimits, Wait


class AsyncRemoteScorer:
    """`RemoteScorer` for an event loop, and for one only: its methods are coroutines.

    Args:
        url: See `RemoteScorer`, as for the others.
        model: Name of the model.
        key: API key.
        timeout_s: Longest try.
        deadline_s: Longest that a request may take in all.
        max_attempts: Most tries.
        batch_texts: Most texts in a request.
        concurrency: Most requests at once, of all calls.
        overlength: What happens to what is too long.
        max_tokens: Longest text.

    Raises:
        SettingsError: The URL is none, or a number is out of its range.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str | None = None,
        key: str | None = None,
        timeout_s: float = 60.0,
        deadline_s: float = 300.0,
        max_attempts: int = 6,
        batch_texts: int | None = 64,
        concurrency: int = 4,
        overlength: Overlength = "raise",
        max_tokens: int | None = None,
    ) -> None:
        self._address = parse_address(
            url,
            model=model,
            key=os.environ.get(KEY_VARIABLE) if key is None else key,
            limits=TryLimits(timeout_s=timeout_s, deadline_s=deadline_s, max_attempts=max_attempts),
            batch_texts=batch_texts,
            overlength=overlength,
            max_tokens=max_tokens,
        )
        self._http = httpx2.AsyncClient(**http_options(self._address, concurrency))
        self._slots = asyncio.Semaphore(concurrency)
        self.n_truncated = 0

    async def score(self, conversations: Sequence[Conversation]) -> Scores:
        """See `RemoteScorer.score`."""
        return await self._scored(self._address.conversations(conversations))

    async def score_texts(self, texts: Sequence[str]) -> Scores:
        """See `RemoteScorer.score_texts`."""
        return await self._scored(self._address.texts(texts))

    async def described(self) -> RemoteModel:
        """See `RemoteScorer.described`."""
        request = self._address.models()
        return self._address.find(parse_models(await self._asked(request), where=request.where))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _scored(self, requests: Sequence[RemoteRequest]) -> Scores:
        if not requests:
            return Scores(np.empty(0, np.float32), loaded_provenance(await self.described(), self._address))
        replies: list[RemoteReply] = []
        for _ in range(CALLS):
            replies = await self._replies(requests)
            if is_one_model(replies):
                break
        reply = join_replies(replies, where=self._address.url)
        self.n_truncated += reply.n_truncated
        return reply.scores

    async def _replies(self, requests: Sequence[RemoteRequest]) -> list[RemoteReply]:
        tasks = [asyncio.ensure_future(self._reply(request)) for request in requests]
        try:
            return [await task for task in tasks]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _reply(self, request: RemoteRequest) -> RemoteReply:
        async with self._slots:
            return parse_rewards(await self._asked(request), n_texts=request.n_texts, where=request.where)

    async def _asked(self, request: RemoteRequest) -> bytes:
        steps, came = self._address.tries(request), None
        while True:
            try:
                step = steps.send(came)
            except StopIteration as end:
                return end.value
            match step:
                case Send(timeout_s):
                    came = await self._sent(request, timeout_s)
                case Wait(seconds):
                    await asyncio.sleep(seconds)
                    came = None

    async def _sent(self, request: RemoteRequest, timeout_s: float) -> Received | Lost:
        parts, size = [], 0
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._http.stream(request.method, request.url, content=request.content, timeout=timeout_s) as response,
            ):
                async for part in response.aiter_bytes():
                    parts.append(part)
                    size += len(part)
                    if size > MOST_BYTES:
                        return Lost(f"a reply of more than {MOST_BYTES:,} bytes")
        except (TimeoutError, *LOST) as error:
            return lost(error, timeout_s)
        return Received(response.status_code, b"".join(parts), response.headers.get("Retry-After"))
