"""The load, what becomes of it, and how it is judged: by hand, and against a server that answers as told."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """The scripts import each other by their plain names."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "bench"))
    return importlib.import_module


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def run_against(handler: Handler, use: Callable[[int], Awaitable[Any]]) -> Any:
    """What `use` gives, of a server at the port that it is told."""

    async def both() -> Any:
        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        async with server, asyncio.timeout(20):
            return await use(server.sockets[0].getsockname()[1])

    return asyncio.run(both())


def answering(delay_s: float = 0.0, status: int = 200) -> Handler:
    """Answers each request with its own body, in pieces."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                await asyncio.sleep(delay_s)
                writer.write(b"HTTP/1.1 %d Told\r\nX-A: b\r\nCont" % status)
                await writer.drain()
                writer.write(b"ent-Length: %d\r\n\r\n" % length + body[: length // 2])
                await asyncio.sleep(0)
                writer.write(body[length // 2 :])
        except asyncio.IncompleteReadError:
            writer.close()

    return handle


def test_a_reply_is_read_whatever_the_pieces(bench):
    http = bench("serve_http")

    async def use(port: int) -> Any:
        connection = http.Connection(port)
        first = await connection.request("POST", "/a", b'{"a": 1}')
        second = await connection.request("POST", "/a", b"[2, 3]")
        connection.close()
        return first, second

    first, second = run_against(answering(status=418), use)

    assert (first.status, first.json(), first.headers["x-a"]) == (418, {"a": 1}, "b")
    assert second.json() == [2, 3]


def test_a_connection_that_ends_in_the_middle_is_no_reply(bench):
    load = bench("serve_load")

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{")
        writer.close()

    found = run_against(handle, lambda port: load.run(load.Plan(port, [("/a", "{}")] * 3)))

    assert [(each.index, each.status) for each in found.replies] == [(0, 0), (1, 0), (2, 0)]
    assert len(found.bad()) == 3


def test_every_request_of_a_closed_loop_is_sent_once_but_the_warm_up_is_not_counted(bench):
    load = bench("serve_load")
    requests = [("/a", json.dumps(number)) for number in range(20)]

    found = run_against(answering(0.01), lambda port: load.run(load.Plan(port, requests, clients=4, warm_up=5)))

    assert sorted((each.index, each.body) for each in found.replies) == [(n, str(n)) for n in range(5, 20)]
    assert all(each.seconds >= 0.01 for each in found.replies)
    assert 0.03 < found.seconds < 5  # 15 requests, 4 at once, 10 ms each: four rounds


def test_an_open_loop_does_not_wait_for_replies(bench):
    load = bench("serve_load")
    requests = [("/a", "1")] * 40

    found = run_against(answering(0.3), lambda port: load.run(load.Plan(port, requests, per_s=400.0)))

    assert len(found.replies) == 40
    # One after another they would take 12 s; 40 at 400 a second start within about 0.1 s.
    assert max(each.started_s for each in found.replies) < 0.6
    assert found.seconds < 3


def test_nothing_is_sent_after_the_time(bench):
    load = bench("serve_load")
    requests = [("/a", "1")] * 1000

    found = run_against(answering(0.02), lambda port: load.run(load.Plan(port, requests, most_s=0.2)))

    assert 2 <= len(found.replies) <= 12  # 0.2 s / 20 ms, and one that was on its way


def test_a_request_without_a_reply_is_lost_after_the_patience(bench):
    load = bench("serve_load")

    found = run_against(answering(5.0), lambda port: load.run(load.Plan(port, [("/a", "1")], patience_s=0.1)))

    assert [each.status for each in found.replies] == [0]


def test_speed_and_latencies_by_hand(bench):
    load = bench("serve_load")
    times = [0.1, 0.2, 0.3, 0.4]
    replies = [load.Replied(number, 0.0, seconds, 200, "") for number, seconds in enumerate(times)]
    found = load.Load([*replies, load.Replied(4, 0.0, 9.0, 503, "")], seconds=2.0)

    assert found.per_s == 2.0  # the four good ones in 2 s
    assert [round(found.milliseconds(share)) for share in (0.0, 0.5, 0.99)] == [100, 300, 400]


def rewarded(reward: float) -> str:
    return json.dumps({"data": [{"probs": [reward]}]})


def test_a_soak_tells_right_from_wrong_from_lost(bench):
    soak, load, routes = bench("serve_soak"), bench("serve_load"), bench("serve_routes")
    classify = next(route for route in routes.ROUTES if route.name == "/classify")

    def kind(status: int, body: str, wanted: Any) -> str:
        return soak.judged(load.Replied(0, 0.0, 0.1, status, body), wanted)

    assert kind(200, rewarded(1.5), (classify, 1.5)) == "right"
    assert kind(200, rewarded(1.5 + 5e-6), (classify, 1.5)) == "right"
    assert kind(200, rewarded(-1.5), (classify, 1.5)) == "wrong"
    assert kind(200, rewarded(1.5), 422) == "wrong"
    assert kind(422, "", 422) == "right"
    assert kind(422, "", (classify, 1.5)) == "wrong"
    assert kind(429, "", (classify, 1.5)) == "refused"
    assert [kind(status, "", 422) for status in (0, 500, 503)] == ["lost"] * 3


def test_a_soak_mixes_in_bad_requests_and_knows_what_each_must_get(bench):
    soak = bench("serve_soak")
    pool = [("a route", ("/classify", str(number)), float(number)) for number in range(5)]

    asked = soak.mixed(pool, count=4000, share_bad=0.05, seed=0)

    bad = [sent for sent, wanted in zip(asked.requests, asked.wanted, strict=True) if isinstance(wanted, int)]
    assert 0.035 < len(bad) / 4000 < 0.065  # 0.05 ± 4 standard errors of .0034
    assert set(bad) == {sent for sent, _ in soak.BAD.values()}
    good = [pair for pair in zip(asked.requests, asked.wanted, strict=True) if not isinstance(pair[1], int)]
    assert all(float(sent[1]) == reward for sent, (_, reward) in good)


def test_the_least_memory_of_each_whole_minute(bench):
    # The machine slept in the second minute.
    seconds, used = np.array([1.0, 30.0, 121.0, 179.0, 180.0]), np.array([5.0, 3.0, 4.0, 6.0, 1.0])
    minutes, lowest = bench("serve_soak")._lowest(seconds, used)
    assert minutes.tolist() == [0, 2]
    assert lowest.tolist() == [3.0, 4.0]


@pytest.mark.parametrize("memory", [[], [(1.0, 80.0, 800.0)]])
def test_a_soak_that_ended_at_once_has_no_slope(bench, memory):
    assert bench("serve_soak")._memory_rows(memory) == []


def test_the_slope_of_memory_by_hand(bench):
    slope, error = bench("serve_soak")._slope(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0]))
    assert (slope, round(error, 12)) == (2.0, 0.0)

    slope, error = bench("serve_soak")._slope(np.array([0.0, 1.0, 2.0]), np.array([0.0, 3.0, 0.0]))
    # The rest is (−1, 2, −1), whose squares sum to 6; over n − 2 = 1 and Σ(x − x̄)² = 2: √3.
    assert (slope, round(error, 6)) == (0.0, round(3**0.5, 6))


def test_fates_by_hand(bench, tmp_path):
    fate, load, process = bench("serve_fate"), bench("serve_load"), bench("serve_process")
    log = tmp_path / "log"
    line = {"message": "request", "route": "/classify"}
    log.write_text("\n".join(["not json", *(json.dumps(line | {"status": status}) for status in (200, 200, 503))]))
    server = process.Server(0, None, log, 0.0)
    case = fate.Case(tmp_path, tmp_path, [("/classify", "a"), ("/classify", "b")], [1.0, 2.0])
    told = [
        (200, rewarded(1.0)),
        (200, rewarded(2.0)),
        (200, rewarded(2.0)),
        (429, ""),
        (504, ""),
        (200, rewarded(7.0)),
    ]
    told.append((0, "ConnectionRefusedError(111)"))
    replies = [load.Replied(index, 0.0, 0.1, *each) for index, each in enumerate(told)]

    found = fate.fate_of(load.Load(replies, 1.0), case, server, outcome="so", others=[[7.5, 7.0]])

    # Number 2 is the first text again, whose reward is 1: wrong. Number 5 has the other model's reward.
    assert (found.right, found.wrong, found.refused, found.lost) == (3, 1, 1, 2)
    assert (found.sent, found.logged) == (7, 2)
    ending = fate.fate_of(load.Load(replies, 1.0), case, server, outcome="so", others=[[7.5, 7.0]], is_ending=True)
    assert (ending.refused, ending.lost) == (2, 1)


def test_every_route_finds_the_reward_in_a_reply_of_its_kind(bench):
    routes = bench("serve_routes").ROUTES
    reward = -0.75
    row = {"reward": reward, "probs": [reward], "data": [reward], "embedding": [reward], "score": reward}
    listed = {
        "data": [row],
        "results": [{"relevance_score": reward}],
        "rewards": [reward],
        "scores": [reward],
    }
    shapes = {
        "/rerank texts": [{"score": reward}],
        "/predict": [{"score": reward}],
        "/predict pair": [[{"score": reward}]],
    }

    assert [route.reward(shapes.get(route.name, listed)) for route in routes] == [reward] * len(routes)
    assert len({route.name for route in routes}) == len(routes) >= 16
