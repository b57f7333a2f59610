"""Progress of long work, on standard error and only where a person looks at it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")

NO_BARS = "REWARDSMITH_NO_BARS"
"""Environment variable: where it is set, as in a server's processes, there are no bars even in a terminal."""


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Yield `items`, with a progress bar on standard error where that is a terminal."""
    if not _is_watched():
        yield from items
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=total)
        for item in items:
            yield item
            progress.advance(task)


class TokenBar:
    """A progress bar that also says tokens per second, on standard error and only where that is a terminal.

    It is there while its `with` block runs, and may be entered again: between two blocks, where results are printed,
    nothing is drawn, and the time is not counted.

    Args:
        total: Items in all; unknown where absent.
    """

    def __init__(self, description: str, *, total: int | None = None) -> None:
        self._progress: Progress | None = None
        self._tokens = 0
        self._seconds = 0.0
        self._entered = 0.0
        if _is_watched():
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[speed]}"),
                TimeRemainingColumn(),
            )
            self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._progress.add_task(description, total=total, speed="")

    def __enter__(self) -> TokenBar:
        self._entered = time.perf_counter()
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._seconds += time.perf_counter() - self._entered
        if self._progress is not None:
            self._progress.stop()

    def advance(self, items: int, *, tokens: int) -> None:
        """So many more items are done, which cost so many tokens."""
        self._tokens += tokens
        if self._progress is not None:
            seconds = self._seconds + time.perf_counter() - self._entered
            speed = f"{self._tokens / seconds:,.0f} tokens/s" if self._tokens else ""
            self._progress.update(self._task, advance=items, speed=speed)


def _is_watched() -> bool:
    return sys.stderr.isatty() and NO_BARS not in os.environ
