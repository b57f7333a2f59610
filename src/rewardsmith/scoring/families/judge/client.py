"""The client of OpenAI-compatible chat endpoints: bounded in time, in tries, in requests at once and in cost."""

from __future__ import annotations

import json
import logging
import os
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx2

from rewardsmith.core.conversation import Conversation, to_dicts
from rewardsmith.core.errors import JudgeError, SettingsError, shorten
from rewardsmith.scoring.families.judge.cache import ReplyCache, question_key
from rewardsmith.scoring.families.judge.reply import Reply
from rewardsmith.scoring.families.judge.retry import asked_wait_s, is_passing, wait_s
from rewardsmith.scoring.families.judge.settings import RemoteBackend
from rewardsmith.scoring.families.judge.usage import Meter, Usage

logger = logging.getLogger(__name__)

_MOST_BYTES = 1 << 23
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class _Failure:
    """A try that failed.

    Attributes:
        what: In words, without the key.
        status: HTTP status, where there was one.
        passing: Whether another try may fare better.
        asked_wait_s: What `Retry-After` asks for.
    """

    what: str
    status: int | None = None
    passing: bool = True
    asked_wait_s: float | None = None


class ChatClient:
    """Asks `POST {url}/chat/completions`, from any number of threads.

    A question ends in a `Reply` or in a `JudgeError` that names the URL and the status; never in nothing, and never
    without an end: a request takes at most twice `timeout_s`, there are `retries` further ones, and waits are bounded.
    The key is read from the environment, and stands in no error, log or file.

    Args:
        settings: Of the endpoint.
        max_reply_tokens: Longest reply.
        cache: Keeps each reply as it comes.
        environment: Where the key is read from; the process's own where absent.

    Raises:
        SettingsError: The variable that should hold the key is not set.
    """

    def __init__(
        self,
        settings: RemoteBackend,
        *,
        max_reply_tokens: int,
        cache: ReplyCache | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._settings = settings
        self._url = f"{settings.url}/chat/completions"
        self._key = _key(settings, os.environ if environment is None else environment)
        self._body: dict[str, Any] = {"model": settings.model, settings.token_limit_name: max_reply_tokens}
        if settings.temperature is not None:
            self._body["temperature"] = settings.temperature
        self._body |= settings.extra
        self._cache = ReplyCache() if cache is None else cache
        self._meter = Meter(prompt_price=settings.prompt_price, completion_price=settings.completion_price)
        self._slots = threading.BoundedSemaphore(settings.concurrency)
        is_here = urlsplit(settings.url).hostname in _LOOPBACK
        if self._key and not is_here and settings.url.startswith("http:"):
            logger.warning("%s: the key is sent without encryption", settings.url)
        self._http = httpx2.Client(
            headers={"Content-Type": "application/json"}
            | ({"Authorization": f"Bearer {self._key}"} if self._key else {}),
            timeout=settings.timeout_s,
            limits=httpx2.Limits(max_connections=settings.concurrency),
            # A proxy of the environment cannot reach this machine's own ports.
            trust_env=not is_here,
        )

    @property
    def identity(self) -> Mapping[str, Any]:
        """Endpoint and body; what the server does behind its name for the model cannot be seen."""
        return {"url": self._settings.url, "body": self._body}

    @property
    def concurrency(self) -> int:
        """Most requests at once."""
        return self._settings.concurrency

    @property
    def usage(self) -> Usage:
        """What was asked so far."""
        return self._meter.usage

    def complete(self, messages: Conversation) -> Reply:
        """The reply to `messages`, from the cache where it was given before.

        Raises:
            JudgeError: No reply came, or the cost limit is reached.
        """
        key = question_key(self.identity, messages)
        known = self._cache.find(key)
        if known is not None:
            self._meter.known()
            return Reply(**known)
        reply = self._asked({**self._body, "messages": to_dicts(messages)})
        self._meter.answered(prompt_tokens=reply.prompt_tokens, completion_tokens=reply.completion_tokens)
        self._cache.add(key, asdict(reply))
        return reply

    def _asked(self, body: Mapping[str, Any]) -> Reply:
        failed = 0
        while True:
            self._require_money()
            with self._slots:
                self._meter.sent()
                outcome = self._tried(body)
            if isinstance(outcome, Reply):
                return outcome
            failed += 1
            pause = self._pause(outcome, failed)
            if pause is None:
                raise self._error(outcome, failed)
            logger.warning("%s: %s; again in %.1f s", self._url, self._hidden(outcome.what), pause)
            time.sleep(pause)

    def _pause(self, failure: _Failure, failed: int) -> float | None:
        """Seconds before the next try; `None` where there is none."""
        limits = self._settings
        if not failure.passing or failed > limits.retries:
            return None
        if failure.asked_wait_s is not None:
            return failure.asked_wait_s if failure.asked_wait_s <= limits.max_wait_s else None
        return wait_s(failed, backoff_s=limits.backoff_s, max_wait_s=limits.max_wait_s, jitter=random.random())

    def _tried(self, body: Mapping[str, Any]) -> Reply | _Failure:
        """One request."""
        ends = time.monotonic() + self._settings.timeout_s
        # Escaped, so that half a surrogate pair in a text is the server's to refuse and no error of encoding here.
        content = json.dumps(body).encode("ascii")
        try:
            with self._http.stream("POST", self._url, content=content) as response:
                parts, size = [], 0
                for part in response.iter_bytes():
                    parts.append(part)
                    size += len(part)
                    # The library's time-out is of each read: a server that sends a byte a second never meets it.
                    if time.monotonic() > ends:
                        return _Failure(f"no whole reply within {self._settings.timeout_s:g} s")
                    if size > _MOST_BYTES:
                        return _Failure(f"a reply of more than {_MOST_BYTES:,} bytes", passing=False)
                found = b"".join(parts)
        except httpx2.TimeoutException:
            return _Failure(f"no reply within {self._settings.timeout_s:g} s")
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            return _Failure(f"{type(error).__name__}: {error}")
        if response.status_code == 200:
            return _parsed(found)
        return _Failure(
            f"status {response.status_code}, {_shown(found)}",
            status=response.status_code,
            passing=is_passing(response.status_code),
            asked_wait_s=asked_wait_s(response.headers.get("Retry-After"), now=datetime.now(UTC)),
        )

    def _require_money(self) -> None:
        limit, spent = self._settings.max_cost, self._meter.usage.cost
        if limit is not None and spent is not None and spent >= limit:
            raise JudgeError(
                "the cost limit is reached",
                wanted=f"a cost below {limit:g}",
                got=f"{spent:.4f}",
                where=self._url,
                fix="raise max_cost; what was answered is in the cache",
            )

    def _error(self, failure: _Failure, failed: int) -> JudgeError:
        return JudgeError(
            f"the judge does not answer, {failed} {'try' if failed == 1 else 'tries'}",
            wanted="a chat completion",
            got=self._hidden(failure.what),
            where=self._url,
            fix=_advice(failure, self._settings),
        )

    def _hidden(self, text: str) -> str:
        """`text` without the key, should a server repeat it."""
        return text.replace(self._key, "[key]") if self._key else text


def _key(settings: RemoteBackend, environment: Mapping[str, str]) -> str:
    if settings.key_env is None:
        return ""
    # A key from a file often brings its line's end along, which no header may hold.
    key = environment.get(settings.key_env, "").strip()
    if not key or not (key.isascii() and key.isprintable()):
        raise SettingsError(
            "the judge's key is not set" if not key else "the judge's key holds characters that no header may hold",
            wanted=f"the key in the environment variable {settings.key_env}",
            where=settings.url,
            fix=f"export {settings.key_env}=…",
        )
    return key


def _parsed(content: bytes) -> Reply | _Failure:
    """The reply in the body of a chat completion."""
    try:
        values = json.loads(content)
        choice = values["choices"][0]
        text, finish = choice["message"]["content"], choice.get("finish_reason")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return _Failure(f"no chat completion: {_shown(content)}")
    if not isinstance(text, str):
        return _Failure(f"a reply without text, finish_reason {finish!r}", passing=finish != "length")
    usage = values.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return Reply(text, _count(counts.get("prompt_tokens")), _count(counts.get("completion_tokens")))


def _shown(content: bytes) -> str:
    return shorten(content.decode("utf-8", "replace")) or "an empty body"


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _advice(failure: _Failure, settings: RemoteBackend) -> str:
    if failure.asked_wait_s is not None and failure.asked_wait_s > settings.max_wait_s:
        return f"it asks for {failure.asked_wait_s:,.0f} s of patience, more than max_wait_s; try again later"
    match failure.status:
        case 401 | 403:
            return f"check the key in {settings.key_env}" if settings.key_env else "name the key's variable in key_env"
        case 404:
            return "check url and model"
        case 400 | 422:
            return "check model, temperature, token_limit_name and extra"
        case 429:
            return "lower concurrency or raise retries"
        case _:
            return "check that the server runs; what was answered is in the cache"
