"""Rewards over HTTP, sync and async, of a server that can misbehave."""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.scoring.scripted_server import Said, scripted_server

from rewardsmith.core.errors import RewardsmithError, SettingsError
from rewardsmith.optimise.reward.remote import AsyncRewardFunction, remote_reward
from rewardsmith.optimise.reward.settings import RewardSettings

CALL = {"prompts": ["p", "q", "p", "q"], "completions": ["a", "bb", "aaa", "bbbbbb"]}


def test_both_give_what_the_server_says_shaped():
    with scripted_server() as server:
        settings = RewardSettings(centre=True)
        assert remote_reward(server.url, settings)(**CALL) == [-1.0, -2.0, 1.0, 2.0]
        reward = AsyncRewardFunction(server.url, settings)
        assert asyncio.run(reward(**CALL)) == [-1.0, -2.0, 1.0, 2.0]
        # Another event loop, as after a restart of the trainer's.
        assert asyncio.run(reward(**CALL)) == [-1.0, -2.0, 1.0, 2.0]
        assert reward.figures["proxy"] == 3.0


def test_a_lost_reply_is_asked_for_again():
    with scripted_server() as server:
        server.script.extend([Said(drops=True), Said(status=503)])
        assert remote_reward(server.url)(**CALL) == [1.0, 2.0, 3.0, 6.0]


def test_a_server_that_hangs_is_an_error_in_time():
    with scripted_server() as server:
        server.script.extend([Said(hangs=True)] * 8)
        began = time.monotonic()
        limits = {"timeout_s": 0.1, "deadline_s": 0.5, "max_attempts": 2}
        with pytest.raises(RewardsmithError):
            remote_reward(server.url, **limits)(**CALL)
        with pytest.raises(RewardsmithError):
            asyncio.run(AsyncRewardFunction(server.url, **limits)(**CALL))
        assert time.monotonic() - began < 20


def test_a_missing_reward_is_an_error():
    def null(body: object) -> object:
        del body
        return {"provenance": {"model_digest": "m", "template_digest": "t"}, "data": [{"index": 0, "reward": None}]}

    with scripted_server(null) as server, pytest.raises(RewardsmithError):
        remote_reward(server.url, max_attempts=1)(prompts=["p"], completions=["a"])


def test_a_bad_address_is_refused_at_once():
    for make in (remote_reward, AsyncRewardFunction):
        with pytest.raises(SettingsError):
            make("not a url")
