"""A policy behind an endpoint: what is asked, and what is made of the replies."""

from __future__ import annotations

from typing import Any

import pytest
from tests.scoring.families.judge.endpoint import Misbehaviour, endpoint

from rewardsmith.core.conversation import user
from rewardsmith.core.errors import JudgeError, SettingsError
from rewardsmith.optimise.policy.endpoint import EndpointPolicy
from rewardsmith.optimise.policy.policy import SamplingSettings
from rewardsmith.scoring.families.judge.settings import RemoteBackend

PROMPTS = [((user("one two"),), "g1"), ((user("three"),), "g2")]


def _answer(messages: Any) -> str:
    return "to " + messages[-1]["content"]


def _policy(url: str, **changes: Any) -> EndpointPolicy:
    backend = RemoteBackend(url=url, model="m", retries=0, timeout_s=5, **changes)
    return EndpointPolicy(backend, SamplingSettings(max_new_tokens=3, temperature=0.7, top_p=0.9), environment={})


def test_each_response_is_a_question_with_a_seed_of_its_own():
    with endpoint(_answer) as served:
        groups = list(_policy(served.url).sample(PROMPTS, n=3, seed=5))
        seeds = sorted({body["seed"] for body in served.bodies})
        list(_policy(served.url).sample(PROMPTS, n=3, seed=5))
        list(_policy(served.url).sample(PROMPTS, n=3, seed=6))
    assert [(group.group, [sample.text for sample in group.samples]) for group in groups] == [
        ("g1", ["to one two"] * 3),
        ("g2", ["to three"] * 3),
    ]
    first, again, other = (served.bodies[start : start + 6] for start in (0, 6, 12))
    assert len(seeds) == 3
    assert sorted({body["seed"] for body in again}) == seeds
    assert set(seeds).isdisjoint(body["seed"] for body in other)
    for body in first:
        assert (body["model"], body["temperature"], body["top_p"], body["max_tokens"]) == ("m", 0.7, 0.9, 3)
        assert 0 <= body["seed"] < 2**31
    # Three words are the limit, two end before it.
    assert [(sample.n_tokens, sample.is_finished) for sample in groups[0].samples] == [(3, False)] * 3
    assert [(sample.n_tokens, sample.is_finished) for sample in groups[1].samples] == [(2, True)] * 3
    assert groups[0].samples[0].log_prob is None


def test_no_answer_is_an_error_and_never_an_empty_response():
    with endpoint(_answer) as served:
        served.script.append(Misbehaviour(status=401, body=b"who are you?"))
        with pytest.raises(JudgeError, match="401"):
            list(_policy(served.url).sample(PROMPTS[:1], n=1, seed=0))
    with pytest.raises(SettingsError, match="NO_SUCH_KEY"):
        _policy("http://127.0.0.1:9/v1", key_env="NO_SUCH_KEY")
