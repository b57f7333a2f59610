"""Reward functions that raise, hang, or return what is no reward."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from typing import Any

import numpy as np
import pytest

from rewardsmith.core.errors import DataError, JudgeError
from rewardsmith.optimise.reward.guard import guarded

CALL = {"prompts": ["a", "b"], "completions": ["c", "d"]}


def test_good_rewards_go_through():
    reward = guarded(lambda *_, **__: np.array([1, 2.5]), timeout_s=5)
    assert reward(**CALL) == [1.0, 2.5]
    assert reward(["a"] * 2, ["b"] * 2) == [1.0, 2.5]


@pytest.mark.parametrize(
    "bad", [None, 3.0, [1.0], [1.0, None], [1.0, math.nan], [1.0, math.inf], [1.0, "x"], np.array(1.0)]
)
def test_what_is_no_reward_is_an_error(bad: Any):
    with pytest.raises(JudgeError):
        guarded(lambda **_: bad, timeout_s=5)(**CALL)


def test_none_is_let_through_where_it_may_be():
    assert guarded(lambda **_: [None, 1], timeout_s=5, may_skip=True)(**CALL) == [None, 1.0]
    with pytest.raises(JudgeError, match="row 0"):
        guarded(lambda **_: [math.nan, 1], timeout_s=5, may_skip=True)(**CALL)


def test_a_failure_is_named():
    def broken(**_: Any) -> list[float]:
        raise KeyError("label")

    with pytest.raises(JudgeError, match=r"broken.*KeyError"):
        guarded(broken, timeout_s=5)(**CALL)

    def refused(**_: Any) -> list[float]:
        raise DataError("no prompt")

    with pytest.raises(DataError, match="no prompt"):
        guarded(refused, timeout_s=5)(**CALL)


def test_a_call_that_hangs_is_left_behind():
    held = threading.Event()
    began = time.monotonic()
    with pytest.raises(JudgeError, match="in time"):
        guarded(lambda **_: held.wait(60), timeout_s=0.1)(**CALL)
    assert time.monotonic() - began < 30
    held.set()


def test_coroutines_are_held_to_the_same():
    async def good(**_: Any) -> list[float]:
        return [1.0, 2.0]

    async def hangs(**_: Any) -> list[float]:
        await asyncio.sleep(60)
        return [1.0, 2.0]

    class Late:
        async def __call__(self, **_: Any) -> list[float]:
            return [math.nan, 1.0]

    assert asyncio.run(guarded(good, timeout_s=5)(**CALL)) == [1.0, 2.0]
    with pytest.raises(JudgeError, match="in time"):
        asyncio.run(guarded(hangs, timeout_s=0.05)(**CALL))
    with pytest.raises(JudgeError, match="row 0"):
        asyncio.run(guarded(Late(), timeout_s=5)(**CALL))
