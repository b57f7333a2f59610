"""A model behind a URL: its address, and the requests that ask it. Nothing here touches the network."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

import orjson

from rewardsmith.core.conversation import Conversation, to_dicts
from rewardsmith.core.errors import DataError, RewardsmithError, SettingsError, UnknownModelError
from rewardsmith.scoring.limits import Overlength
from rewardsmith.scoring.remote_reply import RemoteModel, parse_refusal
from rewardsmith.scoring.tries import Received, Tries, TryLimits, tries

logger = logging.getLogger(__name__)

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SCHEMES = ("http://", "https://")


def is_address(path: object) -> bool:
    """Whether `path` is the URL of a reward server rather than a folder or a hub id."""
    return isinstance(path, str) and path.lower().startswith(_SCHEMES)


@dataclass(frozen=True, slots=True)
class RemoteRequest:
    """One request.

    Attributes:
        where: URL, and which texts of a call it holds, for errors.
        n_texts: Texts that it holds.
    """

    method: Literal["GET", "POST"]
    url: str
    where: str
    content: bytes = b""
    n_texts: int = 0


@dataclass(frozen=True, slots=True)
class RemoteModelAddress:
    """Where a model is, and how it is asked.

    Attributes:
        url: Base of the server's routes, without a slash at its end.
        model: Its name there; the server's default where absent.
        key: API key; none is sent where empty.
        limits: Of the tries.
        overlength: `truncate` has the server cut what is too long.
        max_tokens: Longest text; what the model takes where absent.
        batch_texts: Most texts in a request; all of a call where absent.
    """

    url: str
    model: str | None = None
    key: str = field(default="", repr=False)
    limits: TryLimits = field(default_factory=TryLimits)
    overlength: Overlength = "raise"
    max_tokens: int | None = None
    batch_texts: int | None = None

    @property
    def is_here(self) -> bool:
        """Whether the server is on this machine: no proxy can reach it."""
        return urlsplit(self.url).hostname in _LOOPBACK

    @property
    def headers(self) -> dict[str, str]:
        """Of every request."""
        key = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return {"Content-Type": "application/json", "User-Agent": "rewardsmith"} | key

    def conversations(self, conversations: Sequence[Conversation]) -> list[RemoteRequest]:
        """Requests for the rewards of `conversations`, in order.

        Raises:
            DataError: A text cannot be sent.
        """
        return self._requests("conversations", [to_dicts(each) for each in conversations])

    def texts(self, texts: Sequence[str]) -> list[RemoteRequest]:
        """The same of rendered texts, which the server reads as they are."""
        return self._requests("texts", texts)

    def models(self) -> RemoteRequest:
        """The request for what is served."""
        url = f"{self.url}/v1/models"
        return RemoteRequest("GET", url, url)

    def find(self, models: Sequence[RemoteModel]) -> RemoteModel:
        """The model that is asked, among those of the server.

        Raises:
            UnknownModelError: It is not there.
        """
        found = next((each for each in models if self.model in (None, each.name)), None)
        if found is None:
            raise UnknownModelError(
                "the server has no such model",
                wanted=f"one of {', '.join(each.name for each in models)}" if models else "a model",
                got=self.model,
                where=self.url,
            )
        return found

    def tries(self, request: RemoteRequest) -> Tries:
        """What to do to have `request` answered."""

        def refusal(came: Received, counted: str) -> RewardsmithError:
            return parse_refusal(came, counted, where=request.where, shown=self._without_key)

        return tries(self.limits, where=request.where, refusal=refusal, now=time.monotonic, jitter=random.random)

    def _requests(self, kind: str, items: Sequence[Any]) -> list[RemoteRequest]:
        size = self.batch_texts or max(1, len(items))
        return [
            self._request(kind, items[start : start + size], start, len(items)) for start in range(0, len(items), size)
        ]

    def _request(self, kind: str, items: Sequence[Any], start: int, n_texts: int) -> RemoteRequest:
        url = f"{self.url}/v1/rewards"
        where = url if len(items) == n_texts else f"{url}, texts {start} to {start + len(items) - 1}"
        body: dict[str, Any] = {kind: items, "truncate": self.overlength == "truncate"}
        if self.model is not None:
            body["model"] = self.model
        if self.max_tokens is not None:
            body["max_tokens"] = self.max_tokens
        try:
            content = orjson.dumps(body)
        except TypeError as error:
            raise DataError("a text cannot be sent", wanted="Unicode text", got=error, where=where) from error
        return RemoteRequest("POST", url, where, content, len(items))

    def _without_key(self, text: str) -> str:
        return text.replace(self.key, "[key]") if self.key else text


def parse_address(url: str, *, model: str | None, key: str | None, **options: Any) -> RemoteModelAddress:
    """The address that `url` says.

    A fragment names the model: `http://127.0.0.1:8000#helpful`. A base that ends in `/v1` or `/v1/rewards` is meant
    without it.

    Args:
        model: Its name, where the URL says none.
        key: API key.
        **options: The other fields of the address.

    Raises:
        SettingsError: It is no such URL, holds a user, a key or a query; the key holds what no header may; or a number
            is below one.
    """
    parts = _parts(url)
    if parts.fragment and model is not None and parts.fragment != model:
        raise SettingsError("two models", wanted="one", got=f"{parts.fragment} and {model}", where="model")
    for name in ("batch_texts", "max_tokens"):
        if options.get(name) is not None and options[name] < 1:
            raise SettingsError("a number below one", wanted="at least 1", got=options[name], where=name)
    path = parts.path.rstrip("/").removesuffix("/rewards").removesuffix("/v1").rstrip("/")
    address = RemoteModelAddress(
        f"{parts.scheme.lower()}://{parts.netloc}{path}", model or parts.fragment or None, _secret(key), **options
    )
    if address.key and parts.scheme.lower() == "http" and not address.is_here:
        logger.warning("%s: the key is sent without encryption", address.url)
    return address


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_url = parts.scheme.lower() in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url, parts = False, urlsplit("")
    if not is_url:
        raise SettingsError("no URL of a server", wanted="http://127.0.0.1:8000 or the like", got=url, where="url")
    if parts.username or parts.password or parts.query:
        raise SettingsError(
            "the URL holds a user, a key or a query",
            wanted="a plain URL",
            where=parts.hostname,
            fix="give the key in the environment variable REWARDSMITH_API_KEY",
        )
    return parts


def _secret(key: str | None) -> str:
    # A key from a file often brings its line's end along, which no header may hold.
    secret = (key or "").strip()
    if not (secret.isascii() and (not secret or secret.isprintable())):
        raise SettingsError("the API key holds characters that no header may hold", where="key")
    return secret
