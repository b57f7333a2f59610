"""Our own format: probabilities against a baseline, and what stands beside a reward."""

from __future__ import annotations

import math

import httpx2
import pytest
from tests.serve.families import CONVERSATIONS
from tests.serve.protocols.routes import post

from rewardsmith.core.conversation import to_dicts
from rewardsmith.serve.protocols.baseline import Comparison

PROMPT = CONVERSATIONS[0][0].content
ANSWERS = [each[1].content for each in CONVERSATIONS[:3]]
BODY = {"model": "decoder", "prompt": PROMPT, "answers": ANSWERS}


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-5)


def test_probabilities_by_hand() -> None:
    comparison = Comparison(reward=1.0, temperature=2.0, is_calibrated=True)

    assert comparison.probability(1.0) == 0.5
    assert comparison.probability(1.0 + 2 * math.log(3)) == pytest.approx(0.75)
    assert comparison.probability(1.0 - 2 * math.log(3)) == pytest.approx(0.25)


def test_against_an_answer_a_reward_and_a_conversation(http: httpx2.Client) -> None:
    plain = [row["reward"] for row in post(http, "/v1/rewards", BODY)["data"]]
    # T = 2, see `every_family`.
    wanted = [1 / (1 + math.exp(-(reward - plain[1]) / 2)) for reward in plain]

    for baseline in (1, {"reward": plain[1]}, to_dicts(CONVERSATIONS[1])):
        reply = post(http, "/v1/rewards", BODY | {"baseline": baseline})
        assert len(reply["data"]) == 3
        assert reply["baseline"] == {"reward": near(plain[1]), "temperature": 2.0, "calibrated": True}
        assert [row["probability"] for row in reply["data"]] == [near(each) for each in wanted]
    assert wanted[0] > 0.5


def test_without_a_temperature_it_says_that_it_is_not_calibrated(http: httpx2.Client) -> None:
    reply = post(http, "/v1/rewards", BODY | {"model": "process", "baseline": 0})

    assert reply["baseline"]["temperature"] == 1.0
    assert reply["baseline"]["calibrated"] is False
    assert reply["data"][0]["probability"] == 0.5


def test_without_a_baseline_there_is_no_probability(http: httpx2.Client) -> None:
    reply = post(http, "/v1/rewards", BODY)

    assert "baseline" not in reply
    assert all("probability" not in row for row in reply["data"])


def test_truncation_is_refused_unless_asked_for_and_told(http: httpx2.Client) -> None:
    long = {"model": "decoder", "prompt": "x" * 400, "answers": ["a", "b"]}
    assert http.post("/v1/rewards", json=long).status_code == 413

    reply = post(http, "/v1/rewards", long | {"truncate": True, "max_tokens": 50})

    assert [row["n_tokens"] for row in reply["data"]] == [50, 50]
    assert [row["truncated"] for row in reply["data"]] == [True, True]
    assert reply["usage"] == {
        "prompt_tokens": 100,
        "total_tokens": 100,
        "completion_tokens": 0,
        "n_truncated": 2,
        "n_cached": 0,
    }


def test_each_text_says_whether_it_was_cut(real_http: httpx2.Client) -> None:
    conversations = [to_dicts(CONVERSATIONS[0]), [{"role": "assistant", "content": "x" * 400}]]
    for n_cached in (0, 2):
        body = {"model": "decoder", "conversations": conversations, "truncate": True, "max_tokens": 90}
        reply = post(real_http, "/v1/rewards", body)
        assert [row["truncated"] for row in reply["data"]] == [False, True]
        assert reply["usage"]["n_truncated"] == 1
        assert reply["usage"]["n_cached"] == n_cached


def test_a_prompt_of_several_turns(http: httpx2.Client) -> None:
    turns = [*to_dicts(CONVERSATIONS[0]), {"role": "user", "content": "And 3 + 3?"}]
    whole = [[*turns, {"role": "assistant", "content": answer}] for answer in ("6", "33")]

    one = post(http, "/v1/rewards", {"model": "decoder", "prompt": turns, "answers": ["6", "33"]})
    other = post(http, "/v1/rewards", {"model": "decoder", "conversations": whole})

    assert one["data"] == other["data"]


def test_the_same_again_comes_out_of_the_cache(real_http: httpx2.Client) -> None:
    body = {"model": "decoder", "prompt": "cached?", "answers": ["yes", "no"]}
    first = post(real_http, "/v1/rewards", body)
    again = post(real_http, "/v1/rewards", body | {"answers": ["no", "yes", "new"]})

    assert first["usage"]["n_cached"] == 0
    assert again["usage"]["n_cached"] == 2
    rewards = [row["reward"] for row in first["data"]]
    assert [row["reward"] for row in again["data"]][:2] == rewards[::-1]
