from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from tests.web.conftest import small_app

from rewardsmith.core.errors import RateLimitError
from rewardsmith.web.guards import Guards
from rewardsmith.web.keys import ApiKey, KeyRing, key_digest
from rewardsmith.web.limits import Allowance, RateLimiter, TokenBucket

BODY = {"texts": ["a"]}


def test_a_bucket_by_hand():
    """2 a second, 4 at most: 4 go at once, the fifth waits half a second, and a debt of 6 takes three."""
    bucket = TokenBucket(2.0, 4.0, now=10.0)
    for _ in range(4):
        assert bucket.wait_s(1, now=10.0) == 0
        bucket.take(1, now=10.0)
    assert bucket.wait_s(1, now=10.0) == 0.5
    assert bucket.wait_s(1, now=10.25) == 0.25
    assert bucket.wait_s(1, now=10.5) == 0
    bucket.take(7, now=10.5)
    assert bucket.level(10.5) == -6
    assert bucket.wait_s(1, now=10.5) == 3.5
    assert bucket.level(100.0) == 4


def test_a_cost_above_the_capacity_waits_for_a_full_bucket():
    bucket = TokenBucket(1.0, 3.0, now=0.0)
    assert bucket.wait_s(50, now=0.0) == 0
    bucket.take(50, now=0.0)
    assert bucket.wait_s(50, now=0.0) == 50


@given(
    rate=st.floats(0.1, 100),
    capacity=st.floats(1, 50),
    pauses=st.lists(st.floats(0, 2), min_size=1, max_size=60),
)
def test_no_more_than_the_rate_comes_through_and_waiting_helps(rate, capacity, pauses):
    bucket, now, taken = TokenBucket(rate, capacity, now=0.0), 0.0, 0
    for pause in pauses:
        now += pause
        wait = bucket.wait_s(1, now=now)
        if wait == 0:
            bucket.take(1, now=now)
            taken += 1
        else:
            assert wait < 1e-6 or bucket.wait_s(1, now=now + wait * 0.99) > 0
            assert bucket.wait_s(1, now=now + wait * 1.0001 + 1e-6) == 0
        assert taken <= capacity + rate * now + 1e-6


def test_a_clock_that_stands_gives_nothing_back():
    bucket = TokenBucket(1.0, 1.0, now=5.0)
    bucket.take(1, now=5.0)
    assert bucket.level(4.0) == 0


def test_tokens_are_a_debt_that_the_next_request_waits_for():
    now = [0.0]
    limiter = RateLimiter(Allowance(tokens_per_s=10, burst_s=2), clock=lambda: now[0])
    limiter.admit("a", limiter.allowance)
    limiter.charge("a", limiter.allowance, 50)
    # 20 were there: 30 are owed, and one must be there: 3.1 s.
    with pytest.raises(RateLimitError, match="too many tokens") as caught:
        limiter.admit("a", limiter.allowance)
    assert caught.value.retry_after_s == pytest.approx(3.1)
    limiter.admit("b", limiter.allowance)
    now[0] = 3.1
    limiter.admit("a", limiter.allowance)


def test_a_refused_request_is_not_counted():
    now = [0.0]
    limiter = RateLimiter(Allowance(requests_per_s=1, burst_s=1), clock=lambda: now[0])
    limiter.admit("a", limiter.allowance)
    for _ in range(5):
        with pytest.raises(RateLimitError):
            limiter.admit("a", limiter.allowance)
    now[0] = 1.0
    limiter.admit("a", limiter.allowance)


def test_a_slow_rate_still_lets_one_through():
    limiter = RateLimiter(Allowance(requests_per_s=0.01, burst_s=1), clock=lambda: 0.0)
    limiter.admit("a", limiter.allowance)
    with pytest.raises(RateLimitError) as caught:
        limiter.admit("a", limiter.allowance)
    assert caught.value.retry_after_s == pytest.approx(100)


def test_so_many_addresses_take_no_more_room():
    limiter = RateLimiter(Allowance(requests_per_s=1), clock=lambda: 0.0)
    for number in range(10_050):
        limiter.admit(f"address {number}", limiter.allowance)
    assert len(limiter._clients) == 10_000


def test_a_key_s_own_limits_come_first():
    own = ApiKey(name="a", sha256="0" * 64, requests_per_s=5, max_texts=2)
    assert Allowance(requests_per_s=1, tokens_per_s=9, max_texts=7).of(own) == Allowance(5, 9, 10.0, 2)
    assert Allowance(requests_per_s=1).of(None) == Allowance(requests_per_s=1)


def test_each_key_has_its_own_rate_and_health_has_none():
    ring = KeyRing([ApiKey(name=name, sha256=key_digest(name), requests_per_s=0.001) for name in "ab"])
    client = TestClient(small_app(Guards(keys=lambda: ring, allowance=Allowance(burst_s=2000))))
    statuses = [client.post("/echo/m", json=BODY, headers={"x-api-key": "a"}).status_code for _ in range(4)]
    assert statuses == [200, 200, 429, 429]
    assert client.post("/echo/m", json=BODY, headers={"x-api-key": "b"}).status_code == 200
    assert client.get("/health").status_code == 200
    refused = client.post("/echo/m", json=BODY, headers={"x-api-key": "a"})
    assert refused.json()["error"]["type"] == "RateLimitError"
    assert 990 < int(refused.headers["retry-after"]) <= 1000


def test_tokens_of_a_request_count_for_the_next():
    client = TestClient(small_app(Guards(allowance=Allowance(tokens_per_s=0.01, burst_s=1000))))
    assert client.post("/echo/m", json={"texts": ["x" * 30]}).status_code == 200
    reply = client.post("/echo/m", json=BODY)
    assert reply.status_code == 429
    # 10 were there, 30 went: 21 until one is there again, 100 s each.
    assert int(reply.headers["retry-after"]) == pytest.approx(2100, abs=1)


def test_too_many_texts_are_refused():
    client = TestClient(small_app(Guards(allowance=Allowance(max_texts=2))))
    assert client.post("/echo/m", json={"texts": ["a", "b"]}).status_code == 200
    reply = client.post("/echo/m", json={"texts": ["a", "b", "c"]})
    assert reply.status_code == 413
    assert (reply.json()["error"]["wanted"], reply.json()["error"]["got"]) == ("at most 2", "3")
