from __future__ import annotations

import json
import time

import pytest
from fastapi.testclient import TestClient
from tests.web.conftest import listening, raw_exchange, small_app

from rewardsmith.web.guards import Guards

BODY = {"texts": ["a"]}


def test_a_body_up_to_the_limit_is_taken():
    body = json.dumps(BODY).encode()
    headers = {"content-type": "application/json"}
    started = time.monotonic()
    for most, status in ((len(body), 200), (len(body) - 1, 413)):
        client = TestClient(small_app(Guards(max_body_bytes=most)))
        assert client.post("/echo/m", content=body, headers=headers).status_code == status
        # In pieces, and without a Content-Length.
        pieces = (body[at : at + 3] for at in range(0, len(body), 3))
        assert client.post("/echo/m", content=pieces, headers=headers).status_code == status
    # Nothing waits for more of a body that is all there.
    assert time.monotonic() - started < 1.5


@pytest.fixture(scope="module")
def port():
    with listening(small_app(Guards(max_body_bytes=1000, body_timeout_s=0.4))) as port:
        yield port


def head(*lines):
    return "\r\n".join(["POST /echo/m HTTP/1.1", "Host: h", "Content-Type: application/json", *lines, "", ""]).encode()


def test_a_client_that_sends_far_too_much_still_reads_why(port):
    """Five megabytes without a length, in chunks of 50 kB, all written before the answer is read."""
    chunk = b"c350\r\n" + b"x" * 50_000 + b"\r\n"
    answer = raw_exchange(port, head("Transfer-Encoding: chunked", "Connection: close") + chunk, *[chunk] * 100)
    assert answer.startswith(b"HTTP/1.1 413"), answer[:100]
    assert b"TooLargeError" in answer


def test_a_length_that_is_too_large_is_refused_at_once(port):
    started = time.monotonic()
    answer = raw_exchange(port, head("Content-Length: 5000", "Connection: close") + b"x" * 5000)
    assert answer.startswith(b"HTTP/1.1 413")
    assert time.monotonic() - started < 1.5


def test_a_body_that_does_not_arrive_gets_408_and_the_line_is_closed(port):
    started = time.monotonic()
    answer = raw_exchange(port, head("Content-Length: 100") + b'{"te')
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"SlowClientError" in answer
    assert 0.3 < time.monotonic() - started < 5


def test_a_trickle_is_no_reason_to_wait_longer(port):
    """A byte every 50 ms would keep a time-out between bytes from ever striking."""
    answer = raw_exchange(port, head("Content-Length: 100"), *[b"x"] * 14, pause_s=0.05)
    assert answer.startswith(b"HTTP/1.1 408")


def test_the_server_goes_on(port):
    body = json.dumps(BODY).encode()
    answer = raw_exchange(port, head(f"Content-Length: {len(body)}", "Connection: close") + body)
    assert answer.startswith(b"HTTP/1.1 200")
