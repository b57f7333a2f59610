"""When a request is worth another try, and how long to wait before it."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def is_passing(status: int) -> bool:
    """Whether an HTTP status may be another one soon: a time-out (408), too many requests (429), a server's own fault
    (5xx)."""
    return status in (408, 429) or 500 <= status < 600


def asked_wait_s(retry_after: str | None, *, now: datetime) -> float | None:
    """Seconds that a `Retry-After` header asks for, be it a number or a date; `None` where it says nothing readable."""
    if retry_after is None:
        return None
    with suppress(ValueError):
        return max(0.0, float(retry_after))
    try:
        when = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    # A date without a zone is UTC (RFC 9110, 5.6.7).
    when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())


def wait_s(failed: int, *, backoff_s: float, max_wait_s: float, jitter: float) -> float:
    """Seconds before the next try where the server names none: backoff · 2^(failed − 1), at most `max_wait_s`.

    Args:
        failed: Tries that failed so far, at least 1.
        jitter: In [0, 1): up to a quarter is taken off, so that many clients do not come back at once.
    """
    # The exponent is bounded, so that no number of tries overflows.
    return min(backoff_s * 2.0 ** min(failed - 1, 60), max_wait_s) * (1 - jitter / 4)
