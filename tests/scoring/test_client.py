"""Both clients against a server that misbehaves: scores in order, or an error that says what happened; never less."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import pickle
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from tests.scoring.scripted_server import MODEL_DIGEST, Said, Scripted, by_length, scripted_server

from rewardsmith.core.conversation import Conversation, assistant, user
from rewardsmith.core.errors import (
    OverlengthError,
    OverloadError,
    RewardsmithError,
    ServingError,
    SettingsError,
    UnauthorizedError,
    UnknownModelError,
    WorkerError,
)
from rewardsmith.core.scores import Provenance, Relative, Scorer, Scores, Truncating
from rewardsmith.scoring import client as client_module
from rewardsmith.scoring.async_client import AsyncRemoteScorer
from rewardsmith.scoring.client import RemoteJudge, RemoteScorer
from rewardsmith.scoring.load import load_scorer

TEN: list[Conversation] = [(user("2+2?"), assistant("x" * size)) for size in range(1, 11)]

Ask = Callable[..., Scores]


def _ask_on_threads(url: str, conversations: Sequence[Conversation], **options: Any) -> Scores:
    with RemoteScorer(url, **options) as scorer:
        return scorer.score(conversations)


def _ask_on_a_loop(url: str, conversations: Sequence[Conversation], **options: Any) -> Scores:
    async def ask() -> Scores:
        async with AsyncRemoteScorer(url, **options) as scorer:
            return await scorer.score(conversations)

    return asyncio.run(ask())


@pytest.fixture(params=[_ask_on_threads, _ask_on_a_loop], ids=["threads", "loop"])
def ask(request: pytest.FixtureRequest) -> Ask:
    return request.param


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted_server() as running:
        yield running


def test_scores_come_in_order_whatever_the_batches_and_the_speed(ask: Ask, server: Scripted) -> None:
    wanted = list(range(1, 11))
    assert ask(server.url, TEN).rewards.tolist() == wanted
    assert len(server.bodies) == 1
    server.takes_s = 0.1
    scores = ask(server.url, TEN, batch_texts=1, concurrency=3)
    assert scores.rewards.tolist() == wanted
    assert scores.rewards.dtype == np.float32
    assert scores.provenance == Provenance(MODEL_DIGEST, "t0")
    assert len(server.bodies) == 11
    assert 2 <= server.most_at_once <= 3


def test_nothing_is_scored_and_still_has_a_provenance(ask: Ask, server: Scripted) -> None:
    scores = ask(server.url, [])
    assert (len(scores), scores.provenance) == (0, Provenance(MODEL_DIGEST, "t0"))


@pytest.mark.parametrize(
    "wrong",
    [
        Said(503),
        Said(502, b"<html>"),
        Said(504),
        Said(429),
        Said(drops=True),
        Said(body=b"{", cuts=True),
        Said(hangs=True),
        Said(trickles_s=0.05),
        Said(headers={"Content-Encoding": "gzip"}, body=b"no gzip"),
    ],
    ids=["503", "502", "504", "429", "drops", "cuts", "hangs", "trickles", "garbled"],
)
def test_what_may_pass_is_tried_again(ask: Ask, server: Scripted, wrong: Said) -> None:
    server.script.extend([wrong])
    started = time.monotonic()
    assert ask(server.url, TEN, timeout_s=0.3).rewards.tolist() == list(range(1, 11))
    assert len(server.bodies) == 2
    assert server.bodies[0] == server.bodies[1]
    assert time.monotonic() - started < 10


def test_retry_after_is_obeyed(ask: Ask, server: Scripted) -> None:
    server.script.append(Said(429, headers={"Retry-After": "1"}))
    ask(server.url, TEN)
    assert 1 <= server.times[1] - server.times[0] < 5


def test_too_long_a_wait_is_an_error_at_once(ask: Ask, server: Scripted) -> None:
    body = {"error": {"type": "OverloadError", "message": "the queue is full", "fix": "come again later"}}
    server.script.append(Said(429, json.dumps(body).encode(), {"Retry-After": "3600"}))
    started = time.monotonic()
    with pytest.raises(OverloadError, match=r"the queue is full \(status 429, 1 try\)"):
        ask(server.url, TEN)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("status", "kind"),
    [(413, OverlengthError), (401, UnauthorizedError), (404, UnknownModelError), (500, ServingError)],
)
def test_what_stays_wrong_is_not_tried_again(ask: Ask, server: Scripted, status: int, kind: type) -> None:
    body = {"error": {"type": kind.__name__, "message": "no", "wanted": "less", "got": "more", "where": "texts.3"}}
    server.script.append(Said(status, json.dumps(body).encode()))
    with pytest.raises(kind) as refused:
        ask(server.url, TEN)
    assert len(server.bodies) == 1
    assert str(refused.value).startswith(f"{server.url}/v1/rewards: texts.3: no (status {status}, 1 try); wanted less")


def test_a_redirection_is_not_followed(ask: Ask, server: Scripted) -> None:
    server.script.append(Said(307, headers={"Location": "/elsewhere"}))
    with pytest.raises(ServingError, match="status 307"):
        ask(server.url, TEN)


def test_one_bad_batch_fails_the_call_and_names_its_texts(ask: Ask, server: Scripted) -> None:
    server.answer = lambda body: {} if len(body["conversations"][0][-1]["content"]) == 5 else by_length(body)
    with pytest.raises(ServingError, match="texts 4 to 5: the reply is not that of a reward server"):
        ask(server.url, TEN, batch_texts=2)


def test_null_is_never_a_reward(ask: Ask, server: Scripted) -> None:
    def with_null(body: Any) -> Any:
        reply = by_length(body)
        reply["data"][-1]["reward"] = None
        return reply

    server.answer = with_null
    with pytest.raises(ServingError, match="no reward for a text"):
        ask(server.url, TEN)


def test_nobody_there_is_said_in_time(ask: Ask) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(ServingError) as refused:
            ask(url, TEN, deadline_s=1.0)
        assert time.monotonic() - started < 5
    assert f"{url}/v1/rewards: the reward server does not answer" in str(refused.value)
    assert "ConnectError" in str(refused.value)
    with pytest.raises(ServingError, match="2 tries"):
        ask(url, TEN, max_attempts=2)


def test_a_deadline_ends_a_server_that_never_does(ask: Ask, server: Scripted) -> None:
    server.script.extend([Said(trickles_s=0.02)] * 50)
    started = time.monotonic()
    with pytest.raises(ServingError, match="no whole reply within"):
        ask(server.url, TEN, timeout_s=0.3, deadline_s=1.0)
    assert time.monotonic() - started < 6


def test_a_server_that_starts_later_is_waited_for(ask: Ask) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    found: list[Scores] = []
    asking = threading.Thread(target=lambda: found.append(ask(f"http://127.0.0.1:{port}", TEN)))
    asking.start()
    time.sleep(0.3)
    with scripted_server(port=port):
        asking.join(timeout=30)
    assert [scores.rewards.tolist() for scores in found] == [list(range(1, 11))]


def test_a_model_that_is_swapped_in_the_middle_is_asked_for_all_of_it(ask: Ask, server: Scripted) -> None:
    def swapped(body: Any) -> Any:
        reply = by_length(body)
        if len(server.bodies) > 2:
            reply["provenance"]["model_digest"] = "m1"
            reply["data"] = [row | {"reward": -row["reward"]} for row in reply["data"]]
        return reply

    server.answer = swapped
    scores = ask(server.url, TEN, batch_texts=2, concurrency=1)
    assert scores.rewards.tolist() == [-size for size in range(1, 11)]
    assert scores.provenance.model_digest == "m1"
    assert len(server.bodies) == 10


def test_a_server_of_two_models_at_once_is_an_error(ask: Ask, server: Scripted) -> None:
    def both(body: Any) -> Any:
        reply = by_length(body)
        reply["provenance"]["model_digest"] = f"m{len(server.bodies) % 2}"
        return reply

    server.answer = both
    with pytest.raises(ServingError, match="the model changed between two requests"):
        ask(server.url, TEN, batch_texts=2, concurrency=1)


def test_the_key_and_the_model_are_sent(ask: Ask, server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARDSMITH_API_KEY", "rs_environment")
    ask(f"{server.url}#helpful", TEN[:1], max_tokens=7, overlength="truncate")
    ask(server.url, TEN[:1], key="rs_given")
    ask(server.url, TEN[:1], key="")
    assert [headers.get("Authorization") for headers in server.headers] == [
        "Bearer rs_environment",
        "Bearer rs_given",
        None,
    ]
    assert {name: value for name, value in server.bodies[0].items() if name != "conversations"} == {
        "model": "helpful",
        "truncate": True,
        "max_tokens": 7,
    }


@pytest.mark.parametrize("wrong", [{"concurrency": 0}, {"batch_texts": 0}, {"timeout_s": 0}, {"max_attempts": 0}])
def test_numbers_out_of_range_are_refused(ask: Ask, wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        ask("http://127.0.0.1:1", TEN, **wrong)


def test_it_is_a_scorer_that_counts_what_was_cut(server: Scripted) -> None:
    scorer = RemoteScorer(server.url, overlength="truncate", batch_texts=1)
    assert isinstance(scorer, Scorer)
    assert isinstance(scorer, Truncating)
    assert not isinstance(scorer, Relative)
    scorer.score([(user("p"), assistant("x" * size)) for size in (5, 100, 200)])
    assert scorer.n_truncated == 2
    assert scorer.score_texts(["abc", "de"]).rewards.tolist() == [3, 2]
    assert sorted(body["texts"] for body in server.bodies[-2:]) == [["abc"], ["de"]]
    assert scorer.url == server.url


def test_connections_are_kept(server: Scripted) -> None:
    with RemoteScorer(server.url) as scorer:
        for _ in range(3):
            scorer.score(TEN)
    assert len({headers["Host"] for headers in server.headers}) == 1


def test_it_goes_to_other_processes(server: Scripted) -> None:
    """By pickling, and by a fork, whose parent goes on with the connections."""
    scorer = RemoteScorer(server.url)
    wanted = scorer.score(TEN).rewards.tolist()
    assert pickle.loads(pickle.dumps(scorer)).score(TEN).rewards.tolist() == wanted
    context = multiprocessing.get_context("fork")
    queue: Any = context.Queue()
    child = context.Process(target=lambda: queue.put(scorer.score(TEN).rewards.tolist()))
    child.start()
    assert queue.get(timeout=30) == wanted
    child.join(timeout=30)
    assert scorer.score(TEN).rewards.tolist() == wanted


def test_many_threads_share_one(server: Scripted) -> None:
    scorer = RemoteScorer(server.url, batch_texts=3)
    found: list[list[float]] = []
    threads = [threading.Thread(target=lambda: found.append(scorer.score(TEN).rewards.tolist())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert found == [list(range(1, 11))] * 8


def test_a_cancelled_call_leaves_no_request(server: Scripted) -> None:
    server.takes_s = 0.1

    async def cancel() -> list[float]:
        async with AsyncRemoteScorer(server.url, batch_texts=1, concurrency=1) as scorer:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(scorer.score(TEN), 0.25)
            sent = len(server.bodies)
            await asyncio.sleep(0.3)
            # One may have been on its way; those that were to follow would be three by now.
            assert len(server.bodies) <= sent + 1
            return (await scorer.score(TEN[:2])).rewards.tolist()

    assert asyncio.run(cancel()) == [1, 2]


def test_too_large_a_reply_is_not_read_to_the_end(ask: Ask, server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MOST_BYTES", 1000)
    monkeypatch.setattr("rewardsmith.scoring.async_client.MOST_BYTES", 1000)
    server.script.extend([Said(body=b" " * 200_000)] * 2)
    with pytest.raises(ServingError, match="more than 1,000 bytes"):
        ask(server.url, TEN, max_attempts=1)


def test_a_url_is_loaded_like_a_folder(server: Scripted) -> None:
    scorer = load_scorer(server.url, overlength="truncate", max_tokens=5)
    assert isinstance(scorer, RemoteScorer)
    assert scorer.score(TEN).rewards.tolist() == list(range(1, 11))
    assert (server.bodies[-1]["truncate"], server.bodies[-1]["max_tokens"]) == (True, 5)


@pytest.mark.parametrize(
    "option", [{"engine": "reference"}, {"device": "cpu"}, {"token_budget": 9}, {"precision": "bf16"}, {"cache": "x"}]
)
def test_what_is_the_servers_own_affair_is_refused(server: Scripted, option: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=f"{next(iter(option))} is the server's own affair"):
        load_scorer(server.url, **option)
    assert server.bodies == []


def test_a_url_without_the_model_is_refused_at_once(server: Scripted) -> None:
    with pytest.raises(UnknownModelError, match="one of lengths"):
        load_scorer(f"{server.url}#helpful")
    server.answer = lambda _: {"data": [{"id": "lengths", "model_digest": None}]}
    with pytest.raises(WorkerError, match="not loaded the model yet"):
        load_scorer(server.url).score([])
    server.answer = lambda _: {"detail": "another server"}
    with pytest.raises(RewardsmithError, match="not that of a reward server"):
        load_scorer(server.url)


def test_a_model_that_compares_answers_gets_all_of_a_call_in_one_request(server: Scripted) -> None:
    def relative(body: Any) -> Any:
        reply = by_length(body)
        if body is None:
            reply["data"][0]["relative"] = True
        return reply

    server.answer = relative
    judge = load_scorer(server.url)
    assert isinstance(judge, RemoteJudge)
    assert isinstance(judge, Relative)
    many = [(user("2+2?"), assistant("x" * size)) for size in range(1, 200)]
    assert judge.score(many).rewards.tolist() == list(range(1, 200))
    assert len(server.bodies[-1]["conversations"]) == 199
    prompts = [(user(prompt), assistant("x" * size)) for prompt in "ab" for size in (1, 2, 3)]
    found = [reward for scores in judge.score_by_prompt(prompts) for reward in scores.rewards.tolist()]
    assert found == [1, 2, 3, 1, 2, 3]
    assert (judge.n_truncated, judge.provenance) == (0, Provenance(MODEL_DIGEST, "t0"))
