"""All guards of a server, in the one order that is right."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from fastapi import FastAPI

from rewardsmith.web.body import BodyLimit
from rewardsmith.web.errors import add_error_handlers
from rewardsmith.web.keys import OPEN_PATHS, KeyGuard, KeyRing
from rewardsmith.web.limits import Allowance, RateGuard, RateLimiter
from rewardsmith.web.requests import RequestLog, RequestRecord


@dataclass(frozen=True, slots=True)
class Guards:
    """What stands between a client and the routes.

    Attributes:
        keys: The keys as they are now; `None` for a server that needs none.
        allowance: Rates and sizes of whoever's key says nothing else.
        max_body_bytes: Of one request.
        body_timeout_s: Until the whole body must be there.
        open_paths: Paths that need no key and have no rate: health, and files of a page.
        on_finish: Called with the record of each request that is over.
        logs_texts: Log what routes note of the texts.
    """

    keys: Callable[[], KeyRing | None] = lambda: None
    allowance: Allowance = field(default_factory=Allowance)
    max_body_bytes: int = 16 << 20
    body_timeout_s: float = 30.0
    open_paths: Collection[str] = OPEN_PATHS
    on_finish: Callable[[RequestRecord], None] = lambda _: None
    logs_texts: bool = False


def add_guards(app: FastAPI, guards: Guards) -> RateLimiter:
    """Put `guards` around the routes of `app`, and the error envelope with them.

    A request gets its id; then its key is looked up, then its client's rate, and only then its body is read, so that
    who may not ask costs nothing.

    Returns:
        What counts each client's requests and tokens.
    """
    limiter = RateLimiter(guards.allowance)
    add_error_handlers(app)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, max_bytes=guards.max_body_bytes, timeout_s=guards.body_timeout_s)
    app.add_middleware(RateGuard, limiter=limiter, open_paths=guards.open_paths)
    app.add_middleware(KeyGuard, keys=guards.keys, open_paths=guards.open_paths)
    app.add_middleware(RequestLog, on_finish=guards.on_finish, logs_texts=guards.logs_texts)
    return limiter
