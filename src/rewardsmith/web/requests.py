"""What is known of a request: its id, who asks, for what, how long each stage took. One line of the log each."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders

from rewardsmith.web.errors import error_reply, fault_of

logger = logging.getLogger(__name__)

OTHER = "other"
"""The route of a request that no route takes: its path may hold anything, and never stands in a log or a label."""

_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@dataclass(slots=True)
class RequestRecord:
    """What is known of a request so far. `note` adds to it; it is read when the request is over.

    Attributes:
        id: As in `X-Request-Id`.
        key: Name of the key's holder; absent without one.
        route: Path template of the route, or `other`.
        status: Of the reply; 499 where the client was gone before there was one.
        error: Class of what went wrong.
        n_bytes: Of the body.
        stages: Seconds: `read` (the body), `queue`, `score`, and `write`, which is all the rest: parsing, shaping and
            sending.
        headers: Further headers of the reply.
        texts: Only noted where the operator asked for `--log-texts`.
    """

    id: str
    method: str
    key: str | None = None
    route: str = OTHER
    model: str | None = None
    status: int = 499
    error: str | None = None
    n_bytes: int = 0
    n_texts: int = 0
    n_tokens: int = 0
    n_truncated: int = 0
    n_cached: int = 0
    stages: dict[str, float] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    total_s: float = 0.0
    logs_texts: bool = False

    def note(
        self,
        *,
        key: str | None = None,
        model: str | None = None,
        error: str | None = None,
        n_bytes: int = 0,
        n_texts: int = 0,
        n_tokens: int = 0,
        n_truncated: int = 0,
        n_cached: int = 0,
        stages: Mapping[str, float] | None = None,
        headers: Mapping[str, str] | None = None,
        texts: Sequence[str] = (),
    ) -> None:
        """Add what has become known: counts and seconds add up, names replace."""
        self.key = key or self.key
        self.model = model or self.model
        self.error = error or self.error
        self.n_bytes += n_bytes
        self.n_texts += n_texts
        self.n_tokens += n_tokens
        self.n_truncated += n_truncated
        self.n_cached += n_cached
        for stage, seconds in (stages or {}).items():
            self.stages[stage] = self.stages.get(stage, 0.0) + seconds
        self.headers |= headers or {}
        if self.logs_texts:
            self.texts += tuple(texts)

    def finish(self, *, route: str, total_s: float) -> None:
        """The request is over."""
        self.route = route
        self.total_s = total_s
        rest = total_s - sum(seconds for stage, seconds in self.stages.items() if stage != "write")
        self.stages["write"] = max(0.0, rest)

    def as_json(self) -> dict[str, Any]:
        """The log line; without texts, unless they were asked for."""
        told = {
            "id": self.id,
            "method": self.method,
            "route": self.route,
            "status": self.status,
            "key": self.key,
            "model": self.model,
            "error": self.error,
            "bytes": self.n_bytes,
            "texts": self.n_texts,
            "tokens": self.n_tokens,
            "truncated": self.n_truncated,
            "cached": self.n_cached,
            "seconds": round(self.total_s, 6),
        }
        told |= {f"{stage}_s": round(seconds, 6) for stage, seconds in self.stages.items()}
        if self.logs_texts:
            told["content"] = list(self.texts)
        return {name: value for name, value in told.items() if value is not None}


class RequestLog:
    """ASGI middleware, outermost: an id for each request, an answer whatever is raised, one log line at the end.

    Args:
        on_finish: Called with the record of each request that is over: the metrics.
        logs_texts: Keep the texts that routes note, and log them. Only for an operator who asked for it.
    """

    def __init__(
        self, app: Any, *, on_finish: Callable[[RequestRecord], None] = lambda _: None, logs_texts: bool = False
    ) -> None:
        self.app = app
        self._on_finish = on_finish
        self._logs_texts = logs_texts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        given = Headers(scope=scope).get("x-request-id", "")
        record = RequestRecord(_sane_id(given), scope["method"], logs_texts=self._logs_texts)
        scope.setdefault("state", {})["record"] = record
        try:
            await self._answered(scope, receive, _noting(send, record), record)
        finally:
            record.finish(route=_route(scope), total_s=time.perf_counter() - started)
            logger.info("request", extra={"fields": record.as_json()})
            self._on_finish(record)

    async def _answered(self, scope: Any, receive: Any, send: Any, record: RequestRecord) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            fault = fault_of(error)
            record.note(error=fault.kind)
            if fault.status == 500:
                logger.exception("an unexpected error", extra={"fields": {"id": record.id}})
            if record.status != 499:
                # Half a reply cannot be taken back: the server closes the connection, and the client sees it torn.
                return
            await error_reply(error, request_id=record.id)(scope, receive, send)


def record_of(request: Request) -> RequestRecord:
    """The record of this request; one that nobody reads where the application runs without `RequestLog`."""
    record = request.scope.get("state", {}).get("record")
    return RequestRecord("", request.method) if record is None else record


def _noting(send: Any, record: RequestRecord) -> Any:
    """`send` that writes the request's headers into the reply, and the reply's status into the record."""

    async def noting(message: Any) -> None:
        if message["type"] == "http.response.start":
            record.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = record.id
            for name, value in record.headers.items():
                headers[name] = value
        await send(message)

    return noting


def _sane_id(given: str) -> str:
    """The client's own id where it may stand in a log and a header; else a new one."""
    return given if _SANE_ID.fullmatch(given) else secrets.token_hex(8)


def _route(scope: Any) -> str:
    return str(getattr(scope.get("route"), "path", OTHER))
