"""Against a real endpoint on this machine. Every one of these ends in a reply or in an error, and in bounded time."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.scoring.families.judge.endpoint import Endpoint, Misbehaviour, endpoint, first_always

from rewardsmith.core.conversation import Conversation, to_dicts, user
from rewardsmith.core.errors import JudgeError, SettingsError
from rewardsmith.models.causal_lm import CausalLm
from rewardsmith.scoring.families.judge.cache import ReplyCache
from rewardsmith.scoring.families.judge.client import ChatClient
from rewardsmith.scoring.families.judge.local import LocalChat
from rewardsmith.scoring.families.judge.parallel import in_parallel
from rewardsmith.scoring.families.judge.settings import RemoteBackend

QUESTION: Conversation = (user("Which?"),)
OVERLOADED = Misbehaviour(status=503, body=b"overloaded")


def _client(
    url: str, *, cache: Path | None = None, environment: dict[str, str] | None = None, **values: Any
) -> ChatClient:
    settings = RemoteBackend(**({"url": url, "model": "m", "backoff_s": 0.01, "timeout_s": 5.0} | values))
    return ChatClient(settings, max_reply_tokens=32, cache=ReplyCache(cache), environment=environment or {})


@pytest.fixture
def first() -> Any:
    with endpoint(first_always) as running:
        yield running


def test_a_request_says_what_was_set_and_the_reply_is_counted(first: Endpoint):
    client = _client(first.url, temperature=0.5, extra={"seed": 3})
    reply = client.complete(QUESTION)
    assert (reply.text, reply.prompt_tokens, reply.completion_tokens) == ("Verdict: A", 1, 2)
    wanted = {"model": "m", "max_tokens": 32, "temperature": 0.5, "seed": 3, "messages": to_dicts(QUESTION)}
    assert first.bodies == [wanted]
    assert "Authorization" not in first.headers[0]


def test_what_some_endpoints_refuse_is_not_sent(first: Endpoint):
    _client(first.url, temperature=None, token_limit_name="max_completion_tokens").complete(QUESTION)
    assert first.bodies[0].keys() == {"model", "max_completion_tokens", "messages"}


def test_a_remote_model_says_what_it_says_in_this_process(tiny_lm: CausalLm):
    local = LocalChat(tiny_lm, max_reply_tokens=8)
    with endpoint(lambda messages: local.complete(tuple(user(each["content"]) for each in messages)).text) as running:
        assert _client(running.url).complete(QUESTION).text == local.complete(QUESTION).text


def test_a_busy_endpoint_is_asked_again_when_it_says(first: Endpoint):
    first.script.append(Misbehaviour(status=429, headers={"Retry-After": "0.4"}))
    client = _client(first.url)
    started = time.perf_counter()
    assert client.complete(QUESTION).text == "Verdict: A"
    assert 0.4 <= time.perf_counter() - started < 3
    assert (client.usage.requests, client.usage.tries) == (1, 2)


def test_an_endpoint_that_asks_for_too_much_patience_is_given_up_at_once(first: Endpoint):
    first.script.append(Misbehaviour(status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(JudgeError, match=r"3,600 s of patience"):
        _client(first.url, max_wait_s=10).complete(QUESTION)
    assert len(first.bodies) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        OVERLOADED,
        Misbehaviour(status=408),
        Misbehaviour(drops=True),
        Misbehaviour(body=b"<html>"),
        Misbehaviour(body=b"{}"),
        Misbehaviour(body=b'{"choices": []}'),
        Misbehaviour(body=b'{"choices": [{"message": {"content": null}, "finish_reason": "stop"}]}'),
        Misbehaviour(body=b"\xff\xff"),
    ],
    ids=["503", "408", "dropped", "html", "no choices", "empty choices", "null", "bytes"],
)
def test_what_may_pass_is_tried_again_and_then_is_an_error(first: Endpoint, wrong: Misbehaviour):
    first.script.append(wrong)
    assert _client(first.url).complete(QUESTION).text == "Verdict: A"
    first.script.extend([wrong] * 3)
    with pytest.raises(JudgeError, match="3 tries") as caught:
        _client(first.url, retries=2).complete(QUESTION)
    assert first.url in str(caught.value)


@pytest.mark.parametrize(
    ("status", "advice"), [(400, "extra"), (401, "key_env"), (404, "url and model"), (302, "runs")]
)
def test_what_will_not_pass_is_an_error_at_once(first: Endpoint, status: int, advice: str):
    first.script.append(Misbehaviour(status=status, body=b"the reason", headers={"Location": "http://elsewhere/"}))
    with pytest.raises(JudgeError, match=f"status {status}, the reason") as caught:
        _client(first.url).complete(QUESTION)
    assert advice in str(caught.value)
    assert len(first.bodies) == 1


def test_a_reply_that_ran_out_of_tokens_before_its_text_is_not_asked_for_again(first: Endpoint):
    body = b'{"choices": [{"message": {"content": null}, "finish_reason": "length"}]}'
    first.script.append(Misbehaviour(body=body))
    with pytest.raises(JudgeError, match="'length'"):
        _client(first.url).complete(QUESTION)


@pytest.mark.parametrize("wrong", [Misbehaviour(hangs=True), Misbehaviour(trickles=0.05)], ids=["hangs", "trickles"])
def test_a_remote_reward_that_hangs_is_an_error_in_time(first: Endpoint, wrong: Misbehaviour):
    first.script.extend([wrong, wrong])
    started = time.perf_counter()
    with pytest.raises(JudgeError, match="2 tries"):
        _client(first.url, timeout_s=0.3, retries=1).complete(QUESTION)
    assert time.perf_counter() - started < 3
    assert _client(first.url).complete(QUESTION).text == "Verdict: A"


def test_an_endpoint_that_is_not_there_is_named():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(JudgeError, match=url):
        _client(url, retries=1).complete(QUESTION)


def test_no_more_requests_at_once_than_allowed(first: Endpoint):
    first.takes_s = 0.03
    client = _client(first.url, concurrency=3)
    questions = [(user(str(number)),) for number in range(24)]
    replies = in_parallel(client.complete, questions, at_once=12)
    assert len(replies) == 24
    assert 2 <= first.most_at_once <= 3


def test_replies_come_in_the_order_of_the_questions():
    with endpoint(lambda messages: messages[0]["content"]) as running:
        client = _client(running.url)
        questions = [(user(str(number)),) for number in range(40)]
        assert [each.text for each in in_parallel(client.complete, questions, at_once=8)] == [str(n) for n in range(40)]


def test_one_failure_ends_the_work_without_asking_all():
    def reply(messages: Any) -> str:
        time.sleep(0.02)
        return messages[0]["content"]

    with endpoint(reply) as running:
        running.script.append(Misbehaviour(status=400))
        questions = [(user(str(number)),) for number in range(200)]
        with pytest.raises(JudgeError, match="status 400"):
            in_parallel(_client(running.url).complete, questions, at_once=4)
        assert len(running.bodies) < 50


def test_a_run_that_was_cut_off_asks_only_for_the_rest(first: Endpoint, tmp_path: Path):
    questions = [(user(str(number)),) for number in range(10)]
    first.script.extend([Misbehaviour(body=_said(str(n))) for n in range(6)] + [Misbehaviour(status=400)])
    client = _client(first.url, cache=tmp_path)
    with pytest.raises(JudgeError):
        [client.complete(each) for each in questions]
    # Another process, another client: six replies are on disk.
    first.bodies.clear()
    again = _client(first.url, cache=tmp_path)
    texts = [again.complete(each).text for each in questions]
    assert texts == ["0", "1", "2", "3", "4", "5", *["Verdict: A"] * 4]
    assert [body["messages"][0]["content"] for body in first.bodies] == ["6", "7", "8", "9"]
    assert (again.usage.cached, again.usage.requests) == (6, 4)


def test_another_model_or_temperature_is_another_question(first: Endpoint, tmp_path: Path):
    values: dict[str, Any]
    for values in ({}, {"model": "n"}, {"temperature": 1.0}, {"extra": {"seed": 1}}, {}):
        _client(first.url, cache=tmp_path, **values).complete(QUESTION)
    assert len(first.bodies) == 4


def test_cost_is_tokens_by_prices_and_what_was_known_is_free(first: Endpoint):
    client = _client(first.url, prompt_price=2.0, completion_price=10.0)
    for text in ("one", "two words", "one"):
        client.complete((user(text),))
    # (1 + 2) prompt tokens at 2 a million, and 2 · 2 tokens of replies at 10 a million.
    assert client.usage.cost == pytest.approx((3 * 2 + 4 * 10) / 1e6)
    assert (client.usage.requests, client.usage.cached) == (2, 1)


def test_tokens_that_were_not_counted_are_said(first: Endpoint):
    first.counts_tokens = False
    client = _client(first.url)
    client.complete(QUESTION)
    assert client.usage.uncounted == 1
    assert "1 of unknown length" in str(client.usage)
    assert client.usage.cost is None


def test_the_cost_limit_stops_before_the_next_request(first: Endpoint):
    client = _client(first.url, prompt_price=0.0, completion_price=1.0, max_cost=4e-6)
    with pytest.raises(JudgeError, match="cost limit"):
        [client.complete((user(str(number)),)) for number in range(10)]
    assert len(first.bodies) == 2


def test_the_key_is_sent_and_is_nowhere_else(first: Endpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    environment = {"JUDGE_KEY": "sk-secret\n"}
    first.script.extend(
        [Misbehaviour(status=503, body=b"bad sk-secret"), Misbehaviour(status=401, body=b"no sk-secret")]
    )
    client = _client(first.url, cache=tmp_path, environment=environment, key_env="JUDGE_KEY")
    with caplog.at_level(logging.DEBUG), pytest.raises(JudgeError, match=r"no \[key\]") as caught:
        client.complete(QUESTION)
    client.complete(QUESTION)
    assert {each["Authorization"] for each in first.headers} == {"Bearer sk-secret"}
    assert "JUDGE_KEY" in str(caught.value)
    shown = [str(caught.value), caplog.text, json.dumps(client.identity), json.dumps(first.bodies)]
    shown += [path.read_text() for path in tmp_path.rglob("*.json")]
    assert not any("sk-secret" in text for text in shown)


@pytest.mark.parametrize("environment", [{}, {"JUDGE_KEY": "  "}, {"JUDGE_KEY": "a\x00b"}])
def test_a_key_that_is_not_there_is_said_before_anything_is_asked(environment: dict[str, str]):
    with pytest.raises(SettingsError, match="JUDGE_KEY"):
        _client("http://127.0.0.1:1/v1", environment=environment, key_env="JUDGE_KEY")


def test_half_a_surrogate_pair_is_no_error_of_ours(first: Endpoint):
    assert _client(first.url).complete((user("\ud800"),)).text == "Verdict: A"


def test_many_threads_are_counted_exactly(first: Endpoint):
    client = _client(first.url, concurrency=8)
    threads = [threading.Thread(target=client.complete, args=((user(str(number)),),)) for number in range(30)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert (client.usage.requests, client.usage.tries, client.usage.completion_tokens) == (30, 30, 60)


def _said(text: str) -> bytes:
    return json.dumps({"choices": [{"message": {"content": text}}]}).encode()
