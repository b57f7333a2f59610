"""A client that goes away takes its request with it: what waits in the queue for nobody is dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request
from starlette.exceptions import HTTPException

T = TypeVar("T")

CLIENT_GONE = 499
"""What logs and metrics say of such a request, as nginx does; nobody reads the reply."""


async def while_present(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled when the client closes its connection.

    Raises:
        HTTPException: The client has gone.
    """
    task = asyncio.ensure_future(work)
    watcher = asyncio.ensure_future(_cancel_when_gone(request, task))
    try:
        return await task
    except asyncio.CancelledError:
        if watcher.done() and not watcher.cancelled():
            raise HTTPException(CLIENT_GONE, "the client has gone") from None
        task.cancel()
        raise
    finally:
        watcher.cancel()


async def _cancel_when_gone(request: Request, task: asyncio.Future[Any]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    task.cancel()
