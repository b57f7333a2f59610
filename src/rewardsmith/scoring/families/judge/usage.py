"""What a judge cost: requests, tokens, money."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """What was asked for so far, and what it took.

    Attributes:
        requests: Questions to the model that were answered, without those that the cache knew.
        cached: Questions that the cache knew.
        tries: Requests that were sent, the failed ones included.
        prompt_tokens: Of the answered ones.
        completion_tokens: Of the answered ones.
        uncounted: Answers whose tokens the model did not count; the tokens and the cost are then lower bounds.
        cost: In the currency of the prices; `None` without prices.
    """

    requests: int = 0
    cached: int = 0
    tries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    uncounted: int = 0
    cost: float | None = None

    def __str__(self) -> str:
        failed = self.tries - self.requests
        parts = [
            f"{self.requests:,} requests ({failed:,} further tries, {self.cached:,} known)",
            f"{self.prompt_tokens:,} + {self.completion_tokens:,} tokens",
        ]
        parts += [f"{self.uncounted:,} of unknown length"] if self.uncounted else []
        parts += [f"cost {self.cost:,.4f}"] if self.cost is not None else []
        return ", ".join(parts)


class Meter:
    """Adds up usage, from any number of threads.

    Args:
        prompt_price: Of a million tokens; no cost is counted where a price is absent.
        completion_price: The same of replies.
    """

    def __init__(self, *, prompt_price: float | None = None, completion_price: float | None = None) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, int] = dict.fromkeys(
            ("requests", "cached", "tries", "prompt_tokens", "completion_tokens", "uncounted"), 0
        )
        self._prices = None if prompt_price is None or completion_price is None else (prompt_price, completion_price)

    @property
    def usage(self) -> Usage:
        """What was added so far."""
        with self._lock:
            counts = dict(self._counts)
        cost = None
        if self._prices is not None:
            prompt, completion = self._prices
            cost = (counts["prompt_tokens"] * prompt + counts["completion_tokens"] * completion) / 1e6
        return Usage(**counts, cost=cost)

    def known(self) -> None:
        """The cache knew one."""
        self._add(cached=1)

    def sent(self) -> None:
        """One was sent; whether it is answered is not known yet."""
        self._add(tries=1)

    def answered(self, *, prompt_tokens: int | None, completion_tokens: int | None) -> None:
        """One was answered; `None` is a number that the model did not say."""
        is_counted = prompt_tokens is not None and completion_tokens is not None
        self._add(
            requests=1,
            prompt_tokens=prompt_tokens or 0,
            completion_tokens=completion_tokens or 0,
            uncounted=0 if is_counted else 1,
        )

    def _add(self, **counts: int) -> None:
        with self._lock:
            for name, value in counts.items():
                self._counts[name] += value
