"""A user's own reward function, held to its promise: one finite number a row, in time."""

from __future__ import annotations

import asyncio
import functools
import inspect
import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

from rewardsmith.core.errors import JudgeError, RewardsmithError


def guarded(reward: Callable[..., Any], *, timeout_s: float, may_skip: bool = False) -> Callable[..., Any]:
    """`reward`, sync or async, that never hangs and never gives anything but numbers.

    A call in this process cannot be ended from outside: one that takes too long is left behind in its thread.

    Args:
        timeout_s: Longest call.
        may_skip: `None`, which TRL takes for "not for this reward", is let through.

    Raises:
        JudgeError: From a call that fails, takes longer, or returns anything but one finite number a row.
    """
    name = str(getattr(reward, "__name__", type(reward).__name__))
    if inspect.iscoroutinefunction(reward) or inspect.iscoroutinefunction(type(reward).__call__):

        async def call_async(*args: Any, **columns: Any) -> list[float | None]:
            try:
                found = await asyncio.wait_for(reward(*args, **columns), timeout_s)
            except TimeoutError as error:
                raise _late(name, timeout_s) from error
            except Exception as error:
                raise _failed(name, error) from error
            return numbers(found, n=_rows(args, columns), where=name, may_skip=may_skip)

        call_async.__name__ = name
        return call_async

    def call(*args: Any, **columns: Any) -> list[float | None]:
        found = _within(functools.partial(reward, *args, **columns), timeout_s, name)
        return numbers(found, n=_rows(args, columns), where=name, may_skip=may_skip)

    call.__name__ = name
    return call


def numbers(found: Any, *, n: int, where: str, may_skip: bool = False) -> list[float | None]:
    """`found` as `n` finite numbers.

    Raises:
        JudgeError: It is anything else; the row is named.
    """
    # An array or a tensor says itself what its numbers are.
    values: Any = getattr(found, "tolist", lambda: found)()
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise JudgeError("no rewards", wanted="one number a row", got=found, where=where)
    if len(values) != n:
        raise JudgeError("rewards of another number", wanted=f"{n}", got=len(values), where=where)
    return [_number(value, f"{where}, row {row}", may_skip=may_skip) for row, value in enumerate(values)]


def _number(value: Any, where: str, *, may_skip: bool) -> float | None:
    if value is None and may_skip:
        return None
    try:
        number = math.nan if value is None else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise JudgeError("not a reward", wanted="a finite number", got=str(value), where=where, fix="mend the reward")
    return number


def _within(call: Callable[[], Any], timeout_s: float, name: str) -> Any:
    outcome: list[tuple[bool, Any]] = []

    def run() -> None:
        try:
            outcome.append((True, call()))
        except Exception as error:
            outcome.append((False, error))

    # A daemon: a call that hangs must not keep the process from ending.
    thread = threading.Thread(target=run, name=f"reward-{name}", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if not outcome:
        raise _late(name, timeout_s)
    is_good, found = outcome[0]
    if not is_good:
        raise _failed(name, found) from found
    return found


def _rows(args: Sequence[Any], columns: dict[str, Any]) -> int:
    """Rows of a call: its prompts are named, or come first."""
    return len(columns["prompts"] if "prompts" in columns else args[0])


def _late(name: str, timeout_s: float) -> JudgeError:
    return JudgeError("no reward in time", wanted=f"an answer within {timeout_s:g} s", where=name)


def _failed(name: str, error: Exception) -> RewardsmithError:
    if isinstance(error, RewardsmithError):
        return error
    return JudgeError("the reward function failed", got=f"{type(error).__name__}: {error}", where=name)
