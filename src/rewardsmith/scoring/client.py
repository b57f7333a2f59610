"""The scorer behind a URL: what `rewardsmith serve` answers, as `Scores`, from any number of threads."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import httpx2
import numpy as np

from rewardsmith.core.conversation import Conversation
from rewardsmith.core.errors import SettingsError, WorkerError
from rewardsmith.core.scores import Provenance, Scorer, Scores
from rewardsmith.scoring.families.judge.stream import by_runs
from rewardsmith.scoring.limits import Overlength
from rewardsmith.scoring.options import ScoringOptions
from rewardsmith.scoring.remote import RemoteModelAddress, RemoteRequest, parse_address
from rewardsmith.scoring.remote_reply import (
    RemoteModel,
    RemoteReply,
    is_one_model,
    join_replies,
    parse_models,
    parse_rewards,
)
from rewardsmith.scoring.tries import Lost, Received, Send, TryLimits, Wait

KEY_VARIABLE = "REWARDSMITH_API_KEY"
"""Environment variable of the key, where none is given."""

MOST_BYTES = 1 << 28
"""Of a reply."""

LOST = (httpx2.TransportError, httpx2.DecodingError)
"""What is worth another try."""

CALLS = 2
"""Where a model is swapped in the middle of a call, all of it is asked again, of the new one."""


class RemoteScorer:
    """A `Scorer` that asks `POST {url}/v1/rewards`; from any number of threads.

    Scores come in the order of the conversations, or there is an error that names the URL, the status and what the
    server said; never a missing, infinite or NaN reward. Every call ends: a request takes `deadline_s` at most, tries
    and waits together.

    Args:
        url: Of the server; `http://127.0.0.1:8000#name` names the model too.
        model: Name of the model there; the server's default where absent.
        key: API key; that in the environment variable `REWARDSMITH_API_KEY` where absent.
        timeout_s: Longest try.
        deadline_s: Longest that a request may take in all.
        max_attempts: Most tries, after lost connections and the statuses 429 (for which `Retry-After` counts), 502, 503
            and 504. No other status is tried again.
        batch_texts: Most texts in a request; all of a call where absent.
        concurrency: Most requests at once.
        overlength: `truncate` has the server cut what is too long, counted in `n_truncated`.
        max_tokens: Longest text; what the model takes where absent.

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
        self._concurrency = concurrency
        self.n_truncated = 0
        self._provenance: Provenance | None = None
        self._open()

    @property
    def url(self) -> str:
        """Base URL of the server."""
        return self._address.url

    @property
    def provenance(self) -> Provenance:
        """Digests of the model that answered last, or of the one that the server has now.

        Raises:
            ServingError: The server does not answer, or has no such model.
        """
        return self._provenance or loaded_provenance(self.described(), self._address)

    def described(self) -> RemoteModel:
        """What the server says of the model.

        Raises:
            ServingError: The server does not answer, or has no such model.
        """
        request = self._address.models()
        return self._address.find(parse_models(self._asked(request), where=request.where))

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """The scores of each conversation, in order.

        Raises:
            RewardsmithError: What the server says against it.
            ServingError: There is no answer, or none that can be used.
        """
        return self._scored(self._address.conversations(conversations))

    def score_texts(self, texts: Sequence[str]) -> Scores:
        """The scores of texts that are rendered already: the server reads them as they are, without a template.

        Raises:
            RewardsmithError: As of `score`.
        """
        return self._scored(self._address.texts(texts))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_http"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def _open(self) -> None:
        self._http = httpx2.Client(**http_options(self._address, self._concurrency))
        self._pid = os.getpid()

    def _scored(self, requests: Sequence[RemoteRequest]) -> Scores:
        if not requests:
            return Scores(np.empty(0, np.float32), self.provenance)
        replies: list[RemoteReply] = []
        for _ in range(CALLS):
            replies = self._replies(requests)
            if is_one_model(replies):
                break
        reply = join_replies(replies, where=self._address.url)
        self.n_truncated += reply.n_truncated
        self._provenance = reply.scores.provenance
        return reply.scores

    def _replies(self, requests: Sequence[RemoteRequest]) -> list[RemoteReply]:
        if len(requests) == 1:
            return [self._reply(requests[0])]
        pool = ThreadPoolExecutor(min(self._concurrency, len(requests)), thread_name_prefix="rewardsmith-client")
        try:
            return [future.result() for future in [pool.submit(self._reply, request) for request in requests]]
        finally:
            pool.shutdown(cancel_futures=True)

    def _reply(self, request: RemoteRequest) -> RemoteReply:
        return parse_rewards(self._asked(request), n_texts=request.n_texts, where=request.where)

    def _asked(self, request: RemoteRequest) -> bytes:
        steps, came = self._address.tries(request), None
        while True:
            try:
                step = steps.send(came)
            except StopIteration as end:
                return end.value
            match step:
                case Send(timeout_s):
                    came = self._sent(request, timeout_s)
                case Wait(seconds):
                    time.sleep(seconds)
                    came = None

    def _sent(self, request: RemoteRequest, timeout_s: float) -> Received | Lost:
        if self._pid != os.getpid():
            # A fork: its parent goes on with the connections, which two processes cannot share.
            self._open()
        ends = time.monotonic() + timeout_s
        parts, size = [], 0
        try:
            with self._http.stream(request.method, request.url, content=request.content, timeout=timeout_s) as response:
                for part in response.iter_bytes():
                    parts.append(part)
                    size += len(part)
                    if size > MOST_BYTES:
                        return Lost(f"a reply of more than {MOST_BYTES:,} bytes")
                    # The library's time-out is of each read: a server that sends a byte a second never meets it.
                    if time.monotonic() > ends:
                        return Lost(f"no whole reply within {timeout_s:g} s")
        except LOST as error:
            return lost(error, timeout_s)
        return Received(response.status_code, b"".join(parts), response.headers.get("Retry-After"))


class RemoteJudge:
    """A `RemoteScorer` of a model whose rewards compare the answers of a prompt: those of a call go in one request.

    Args:
        scorer: Without a limit on the texts of a request.
    """

    def __init__(self, scorer: RemoteScorer) -> None:
        self._scorer = scorer

    @property
    def provenance(self) -> Provenance:
        """See `RemoteScorer`."""
        return self._scorer.provenance

    @property
    def n_truncated(self) -> int:
        """See `RemoteScorer`."""
        return self._scorer.n_truncated

    def score(self, conversations: Sequence[Conversation]) -> Scores:
        """The scores of each conversation, in order; those with one prompt are rivals. See `RemoteScorer`."""
        return self._scorer.score(conversations)

    def score_by_prompt(self, conversations: Iterable[Conversation]) -> Iterator[Scores]:
        """The scores of any number of conversations, in order and in pieces; those that follow each other and share a
        prompt are rivals. See `stream.by_runs`."""
        return by_runs(self.score, conversations)


def load_remote(url: str, options: ScoringOptions) -> Scorer:
    """The scorer at `url`. The server is asked at once what it has, so that a wrong URL is no surprise later.

    Raises:
        SettingsError: The URL is none, or an option is the server's own affair.
        ServingError: The server does not answer, or has no such model.
    """
    own = ScoringOptions()
    for name in ("engine", "device", "token_budget", "precision", "cache"):
        if getattr(options, name) != getattr(own, name):
            raise SettingsError(
                f"{name} is the server's own affair", wanted=f"no {name}", got=getattr(options, name), where=url
            )
    scorer = RemoteScorer(url, overlength=options.overlength, max_tokens=options.max_tokens)
    if not scorer.described().is_relative:
        return scorer
    scorer.close()
    return RemoteJudge(
        RemoteScorer(url, overlength=options.overlength, max_tokens=options.max_tokens, batch_texts=None)
    )


def http_options(address: RemoteModelAddress, concurrency: int) -> dict[str, Any]:
    """Arguments of a client of `address`."""
    if concurrency < 1:
        raise SettingsError("nobody may ask", wanted="at least 1", got=concurrency, where="concurrency")
    return {
        "headers": address.headers,
        "limits": httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
        # A proxy of the environment cannot reach this machine's own ports.
        "trust_env": not address.is_here,
    }


def loaded_provenance(model: RemoteModel, address: RemoteModelAddress) -> Provenance:
    """The digests of `model`.

    Raises:
        WorkerError: The server has not loaded it yet.
    """
    if model.provenance is None:
        raise WorkerError(
            "the server has not loaded the model yet", wanted="a model that is ready", got=model.name, where=address.url
        )
    return model.provenance


def lost(error: BaseException, timeout_s: float) -> Lost:
    """A try that ended by `error`."""
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return Lost(f"no whole reply within {timeout_s:g} s")
    return Lost(f"{type(error).__name__}: {error}")
