"""The body of a request: how long it may be, and how long it may take."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from starlette.datastructures import Headers

from rewardsmith.core.errors import SlowClientError, TooLargeError

_LINGER_S = 2.0


class BodyLimit:
    """ASGI middleware: reads the whole body, no further than `max_bytes` and no longer than `timeout_s`.

    Bytes are counted as they come, so that a wrong Content-Length, or none, changes nothing. The application reads
    what was kept here.

    Raises (while a request is answered):
        TooLargeError: The body is longer.
        SlowClientError: It did not arrive in time.
    """

    def __init__(self, app: Any, *, max_bytes: int, timeout_s: float) -> None:
        self.app = app
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        body = await self._read(scope, receive)
        if body is None:
            return
        if (record := scope.get("state", {}).get("record")) is not None:
            record.note(n_bytes=len(body), stages={"read": time.perf_counter() - started})
        await self.app(scope, _replay(body, receive), send)

    async def _read(self, scope: Any, receive: Any) -> bytes | None:
        """The body; `None` where the client went away before it was there."""
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > self._max_bytes:
            await _linger(receive, most=self._max_bytes)
            raise self._too_large(int(declared))
        parts = bytearray()
        try:
            async with asyncio.timeout(self._timeout_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    parts += message.get("body", b"")
                    is_whole = not message.get("more_body", False)
                    if len(parts) > self._max_bytes:
                        break
                    if is_whole:
                        return bytes(parts)
        except TimeoutError:
            raise SlowClientError(
                "the body did not arrive in time",
                wanted=f"a whole body within {self._timeout_s:g} s",
                got=f"{len(parts)} bytes",
                fix="send less at once, or over a faster line",
            ) from None
        if not is_whole:
            await _linger(receive, most=self._max_bytes)
        raise self._too_large(len(parts))

    def _too_large(self, n_bytes: int) -> TooLargeError:
        return TooLargeError(
            "the body is too large",
            wanted=f"at most {self._max_bytes} bytes",
            got=f"{n_bytes} bytes or more",
            fix="send the texts in several requests",
        )


def _replay(body: bytes, receive: Any) -> Any:
    """What an application is given in the place of `receive`: the body in one piece, then whatever comes."""
    is_read = False

    async def replay() -> Any:
        nonlocal is_read
        if is_read:
            return await receive()
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _linger(receive: Any, *, most: int) -> None:
    """Throw away a little more of a body that is refused: a client that is cut off while it writes never reads why."""
    left = most
    try:
        async with asyncio.timeout(_LINGER_S):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return
