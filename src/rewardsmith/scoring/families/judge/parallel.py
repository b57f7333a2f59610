"""Several questions at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def in_parallel(task: Callable[[A], B], items: Sequence[A], *, at_once: int) -> list[B]:
    """`task` of each item, in order, so many at once. The first error ends the work: what is under way is finished,
    nothing further is begun, and the error is raised."""
    if at_once == 1 or len(items) < 2:
        return [task(item) for item in items]
    with ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="judge") as pool:
        futures = [pool.submit(task, item) for item in items]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in futures:
                if future in done and not future.cancelled():
                    future.result()
        finally:
            for future in futures:
                future.cancel()
    return [future.result() for future in futures]
