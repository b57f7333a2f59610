"""How often, how long and when a server is asked: the decisions alone, without a network and without a clock.

The generator says what to do next (`Send`, `Wait`); whoever drives it does it, on threads or on an event loop, and
tells what came (`Received`, `Lost`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime

from rewardsmith.core.errors import RewardsmithError, ServingError, SettingsError
from rewardsmith.scoring.families.judge.retry import asked_wait_s, wait_s

PASSING = frozenset({429, 502, 503, 504})
"""Statuses that may be another one soon. Any other one says that the request, or the server, is at fault."""

_LEAST_TIMEOUT_S = 0.05


@dataclass(frozen=True, slots=True)
class TryLimits:
    """How patient a client is.

    Attributes:
        timeout_s: Longest try.
        deadline_s: Longest that a request may take in all, tries and waits together.
        max_attempts: Most tries.
        backoff_s: Wait before the second try; doubled each time. `Retry-After` goes before it.
        max_wait_s: Longest wait between two tries where the server names none.

    Raises:
        SettingsError: One of them is out of its range.
    """

    timeout_s: float = 60.0
    deadline_s: float = 300.0
    max_attempts: int = 6
    backoff_s: float = 0.25
    max_wait_s: float = 20.0

    def __post_init__(self) -> None:
        for name in ("timeout_s", "deadline_s", "max_attempts"):
            if getattr(self, name) <= 0:
                raise SettingsError("no time to ask in", wanted="more than 0", got=getattr(self, name), where=name)
        for name in ("backoff_s", "max_wait_s"):
            if getattr(self, name) < 0:
                raise SettingsError(
                    "a wait of less than nothing", wanted="at least 0", got=getattr(self, name), where=name
                )


@dataclass(frozen=True, slots=True)
class Send:
    """Send the request, and give up after `timeout_s`."""

    timeout_s: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Received:
    """A whole reply.

    Attributes:
        retry_after: The header of that name.
    """

    status: int
    content: bytes
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """No reply, or half of one. Scores can be asked for twice, so that it is always worth another try.

    Attributes:
        what: What went wrong, in words.
    """

    what: str


Tries = Generator[Send | Wait, Received | Lost | None, bytes]
"""Ends in the content of a reply of status 200."""


def tries(
    limits: TryLimits,
    *,
    where: str,
    refusal: Callable[[Received, str], RewardsmithError],
    now: Callable[[], float],
    jitter: Callable[[], float],
) -> Tries:
    """Ask until there is an answer, or no hope of one.

    Another try is made where the connection or the reply was lost, and after the statuses of `PASSING`; never after any
    other one.

    Args:
        where: URL, for the error.
        refusal: The error that a reply tells; its second argument says how many tries there were.
        now: Seconds of a clock that never goes back.
        jitter: In [0, 1), drawn for each wait.

    Raises:
        RewardsmithError: There is no answer; the error says what came last.
    """
    ends = now() + limits.deadline_s
    failed = 0
    while True:
        came = yield Send(max(_LEAST_TIMEOUT_S, min(limits.timeout_s, ends - now())))
        if isinstance(came, Received) and came.status == 200:
            return came.content
        failed += 1
        pause = _pause(came, failed, limits, jitter=jitter())
        if pause is None or now() + pause >= ends:
            counted = f"{failed} {'try' if failed == 1 else 'tries'}"
            raise refusal(came, counted) if isinstance(came, Received) else _unreachable(came, counted, where)
        yield Wait(pause)


def _pause(came: Received | Lost | None, failed: int, limits: TryLimits, *, jitter: float) -> float | None:
    """Seconds before the next try; `None` where there is none."""
    if failed >= limits.max_attempts or (isinstance(came, Received) and came.status not in PASSING):
        return None
    asked = asked_wait_s(came.retry_after, now=datetime.now(UTC)) if isinstance(came, Received) else None
    if asked is not None:
        # Up to a quarter more, and never less: who comes too early is refused again, and all at once too.
        return asked * (1 + jitter / 4)
    return wait_s(failed, backoff_s=limits.backoff_s, max_wait_s=limits.max_wait_s, jitter=jitter)


def _unreachable(came: Lost | None, counted: str, where: str) -> ServingError:
    return ServingError(
        f"the reward server does not answer, {counted}",
        wanted="rewards",
        got=came.what if came is not None else None,
        where=where,
        fix="check the URL and that `rewardsmith serve` runs there, or allow more time",
    )
