"""API keys: who may ask, and who may change which models are served.

The file holds digests only. A key is 256 random bits, so a plain sha256 of it cannot be searched for.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Any, Literal

from fastapi import Request
from pydantic import Field
from starlette.datastructures import Headers

from rewardsmith.core.errors import ForbiddenError, SettingsError, UnauthorizedError
from rewardsmith.core.settings import Settings

Role = Literal["client", "admin"]

OPEN_PATHS = frozenset({"/health", "/health/live", "/health/ready"})
"""What an orchestrator asks, without a key and without a limit."""

_PREFIX = "rs_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class ApiKey(Settings):
    """One key: its holder and what the holder may do."""

    name: str = Field(pattern=f"^{_NAME.pattern}$")
    """Who holds it; stands in logs in the place of the key."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    """Hex digest of the key, which itself is nowhere."""

    role: Role = "client"
    """`client` asks for rewards; `admin` may also load, swap and unload models."""

    requests_per_s: float | None = Field(default=None, gt=0)
    """Requests a second, over time; the server's own limit where absent."""

    tokens_per_s: float | None = Field(default=None, gt=0)
    """Tokens a second, over time; the server's own limit where absent."""

    max_texts: int | None = Field(default=None, ge=1)
    """Most texts of one request; the server's own limit where absent."""


class KeyRing:
    """All keys of a server.

    Raises:
        SettingsError: Two keys have one name or one digest.
    """

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self.keys = tuple(keys)
        for attribute in ("name", "sha256"):
            (value, count), *_ = Counter(getattr(key, attribute) for key in self.keys).most_common(1) or [("", 0)]
            if count > 1:
                raise SettingsError(f"two keys of one {attribute}", wanted="each once", got=value, where="keys")

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, presented: str) -> ApiKey | None:
        """The key that was presented. Every key is compared in constant time, whichever it is."""
        digest = key_digest(presented)
        found = None
        for key in self.keys:
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found


class KeyGuard:
    """ASGI middleware: a request without a known key goes no further, and its body is not read.

    The key is in `Authorization: Bearer …` or in `X-API-Key: …`; `request.state.key` has it afterwards.

    Args:
        keys: The keys as they are now; `None` where the server has none and everybody may ask.
        open_paths: Paths that need no key.

    Raises (while a request is answered):
        UnauthorizedError: No key, or one that is not known.
    """

    def __init__(
        self, app: Any, *, keys: Callable[[], KeyRing | None], open_paths: Collection[str] = OPEN_PATHS
    ) -> None:
        self.app = app
        self._keys = keys
        self._open = frozenset(open_paths)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            state = scope.setdefault("state", {})
            ring = self._keys()
            is_open = scope["path"] in self._open or ring is None
            state["key"] = None if is_open else _known(ring, Headers(scope=scope))
            state["has_keys"] = ring is not None
            if (record := state.get("record")) is not None and state["key"] is not None:
                record.note(key=state["key"].name)
        await self.app(scope, receive, send)


def require_admin(request: Request) -> None:
    """FastAPI dependency of routes that change the server: an admin's key, or, where there are no keys, this machine.

    This machine must also be what the client calls the server: else a page in a browser here whose own name was made
    to point here (DNS rebinding), or whoever comes through a proxy here, would pass for it.

    Raises:
        ForbiddenError: Somebody else asks.
    """
    state = request.scope.get("state", {})
    if state.get("has_keys"):
        key = state.get("key")
        if key is None or key.role != "admin":
            got = "no key" if key is None else f"{key.name}: {key.role}"
            raise ForbiddenError("this needs an admin's key", wanted="role: admin", got=got)
    elif not is_local(request.client.host if request.client else None) or not is_local(_host(request)):
        raise ForbiddenError(
            "without keys, models are changed from this machine only",
            wanted="a request from a loopback address, to one",
            fix="serve with --keys, and an admin's key among them",
        )


def make_key() -> tuple[str, str]:
    """A new key, and its digest for the file."""
    key = _PREFIX + secrets.token_urlsafe(32)
    return key, key_digest(key)


def key_digest(key: str) -> str:
    """What the file keeps of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def require_keys(host: str, *, has_keys: bool, no_keys: bool) -> None:
    """Before a server starts: whoever can reach it must have a key, or the operator has said that nobody needs one.

    Raises:
        SettingsError: The host is not loopback, there are no keys, and `--no-keys` was not said.
    """
    if has_keys or no_keys or is_local(host):
        return
    raise SettingsError(
        "a server that others can reach needs keys",
        wanted="--keys FILE, or a loopback host",
        got=host,
        where="--host",
        fix="make a key with `rewardsmith serve-key NAME --keys FILE`, or say --no-keys",
    )


def is_local(host: str | None) -> bool:
    """Whether `host` is this machine: a loopback address or its name, or no network at all (a Unix socket)."""
    if host is None or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _host(request: Request) -> str | None:
    """What the client calls the server, without the port; `None` where it calls it nothing."""
    name = request.headers.get("host", "")
    name = name[: name.index("]") + 1] if name.startswith("[") and "]" in name else name.partition(":")[0]
    return name or None


def _known(ring: KeyRing | None, headers: Headers) -> ApiKey:
    presented = _presented(headers)
    key = None if ring is None or presented is None else ring.find(presented)
    if key is None:
        raise UnauthorizedError(
            "no key" if presented is None else "this key is not known",
            wanted="Authorization: Bearer KEY, or X-API-Key: KEY",
            fix="ask the operator for a key",
        )
    return key


def _presented(headers: Headers) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return headers.get("x-api-key")
