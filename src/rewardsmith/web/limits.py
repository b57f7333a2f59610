"""What one client may take: requests and tokens a second, texts of a request."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from rewardsmith.core.errors import RateLimitError, TooLargeError
from rewardsmith.web.keys import OPEN_PATHS, ApiKey

_MOST_CLIENTS = 10_000


class TokenBucket:
    """At most `rate_per_s` units a second over time, and at most `capacity` at once.

    What a request costs may be known only after it: `take` may go below zero, and nothing more is let in until the
    debt is paid. Over any time t, no more than capacity + rate·t + the last cost is taken.

    Args:
        rate_per_s: Units that come back each second.
        capacity: Units that are there at first, and at most.
        now: Of a clock that only goes forward, in seconds, as for the methods.
    """

    def __init__(self, rate_per_s: float, capacity: float, *, now: float) -> None:
        self.rate_per_s = rate_per_s
        self.capacity = capacity
        self._level = capacity
        self._at = now

    def level(self, now: float) -> float:
        """Units that are there; below zero after more was taken."""
        return min(self.capacity, self._level + self.rate_per_s * max(0.0, now - self._at))

    def wait_s(self, cost: float, *, now: float) -> float:
        """Seconds until `cost` units are there; 0 where they are. A cost above the capacity waits for a full one."""
        return max(0.0, min(cost, self.capacity) - self.level(now)) / self.rate_per_s

    def take(self, cost: float, *, now: float) -> None:
        """Take `cost` units, whether they are there or not."""
        self._level = self.level(now) - cost
        self._at = max(now, self._at)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What each client may take that its key does not say otherwise; no limit where absent.

    Attributes:
        requests_per_s: Requests a second, over time.
        tokens_per_s: Tokens a second, over time.
        burst_s: Seconds' worth of either that may come at once.
        max_texts: Most texts of one request.
    """

    requests_per_s: float | None = None
    tokens_per_s: float | None = None
    burst_s: float = 10.0
    max_texts: int | None = None

    def of(self, key: ApiKey | None) -> Allowance:
        """With what the key itself says in the place of the server's own."""
        if key is None:
            return self
        return Allowance(
            requests_per_s=key.requests_per_s or self.requests_per_s,
            tokens_per_s=key.tokens_per_s or self.tokens_per_s,
            burst_s=self.burst_s,
            max_texts=key.max_texts or self.max_texts,
        )


@dataclass(slots=True)
class _Client:
    """The buckets of one key or one address; `None` without that limit."""

    allowance: Allowance
    requests: TokenBucket | None
    tokens: TokenBucket | None


class RateLimiter:
    """The buckets of all clients; of so many that nobody comes back to, the oldest are forgotten.

    Args:
        allowance: Of whoever's key says nothing else.
        clock: Seconds; only goes forward.
    """

    def __init__(self, allowance: Allowance, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.allowance = allowance
        self._clock = clock
        self._clients: OrderedDict[str, _Client] = OrderedDict()

    def admit(self, client: str, allowance: Allowance) -> None:
        """Count one request of `client`.

        Raises:
            RateLimitError: Too many requests, or too many tokens; it says when to come again. Nothing is counted.
        """
        now = self._clock()
        buckets = self._buckets(client, allowance, now=now)
        waits: dict[str, float] = {}
        if buckets.requests is not None:
            waits["requests"] = buckets.requests.wait_s(1.0, now=now)
        if buckets.tokens is not None:
            # The tokens are counted afterwards; what must be there before is that the last debt is paid.
            waits["tokens"] = buckets.tokens.wait_s(1.0, now=now)
        name = max(waits, key=lambda each: waits[each], default="")
        if name and waits[name] > 0:
            rate = allowance.requests_per_s if name == "requests" else allowance.tokens_per_s
            raise RateLimitError(
                f"too many {name}",
                wanted=f"at most {rate:g} {name} a second",
                fix=f"wait {waits[name]:.3f} s",
                retry_after_s=waits[name],
            )
        if buckets.requests is not None:
            buckets.requests.take(1.0, now=now)

    def charge(self, client: str, allowance: Allowance, tokens: int) -> None:
        """Count the tokens that a request of `client` had."""
        now = self._clock()
        bucket = self._buckets(client, allowance, now=now).tokens
        if bucket is not None:
            bucket.take(tokens, now=now)

    def _buckets(self, client: str, allowance: Allowance, *, now: float) -> _Client:
        known = self._clients.get(client)
        if known is None or known.allowance != allowance:
            bucket = [
                None if rate is None else TokenBucket(rate, max(1.0, rate * allowance.burst_s), now=now)
                for rate in (allowance.requests_per_s, allowance.tokens_per_s)
            ]
            known = self._clients[client] = _Client(allowance, *bucket)
        self._clients.move_to_end(client)
        while len(self._clients) > _MOST_CLIENTS:
            self._clients.popitem(last=False)
        return known


class RateGuard:
    """ASGI middleware, inside of `KeyGuard`: clients that ask too often get 429 and the time to wait."""

    def __init__(self, app: Any, *, limiter: RateLimiter, open_paths: Collection[str] = OPEN_PATHS) -> None:
        self.app = app
        self._limiter = limiter
        self._open = frozenset(open_paths)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            state = scope.setdefault("state", {})
            key: ApiKey | None = state.get("key")
            allowance = self._limiter.allowance.of(key)
            state["taken"] = _Taken(self._limiter, _client(scope, key), allowance)
            if scope["path"] not in self._open:
                self._limiter.admit(_client(scope, key), allowance)
        await self.app(scope, receive, send)


@dataclass(frozen=True, slots=True)
class _Taken:
    limiter: RateLimiter
    client: str
    allowance: Allowance


def charge_tokens(request: Request, n_tokens: int) -> None:
    """Count the tokens of a request against its client's limit; to be called once they are known."""
    taken: _Taken | None = request.scope.get("state", {}).get("taken")
    if taken is not None:
        taken.limiter.charge(taken.client, taken.allowance, n_tokens)


def require_texts(request: Request, n_texts: int) -> None:
    """Stop a request of too many texts before it is queued.

    Raises:
        TooLargeError: More than its client may send at once.
    """
    taken: _Taken | None = request.scope.get("state", {}).get("taken")
    most = None if taken is None else taken.allowance.max_texts
    if most is not None and n_texts > most:
        raise TooLargeError(
            "too many texts in one request", wanted=f"at most {most}", got=n_texts, fix="send them in several requests"
        )


def _client(scope: Any, key: ApiKey | None) -> str:
    """Who a request counts for: the holder of the key, or else the address that it comes from."""
    if key is not None:
        return f"key {key.name}"
    address = scope.get("client")
    return f"address {address[0] if address else 'local'}"
