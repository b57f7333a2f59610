from __future__ import annotations

import io
import json
import logging
import socket

import pytest
from fastapi.testclient import TestClient
from tests.web.conftest import listening, raw_exchange, small_app

from rewardsmith.web.guards import Guards
from rewardsmith.web.keys import ApiKey, KeyRing, key_digest
from rewardsmith.web.logs import JsonLines, configure_logs

SECRET = "my private words"


@pytest.fixture
def log():
    """What the server logs, as JSON lines."""
    stream = io.StringIO()
    names = ("rewardsmith", "uvicorn")
    before = {name: (logging.getLogger(name).handlers, logging.getLogger(name).level) for name in names}
    configure_logs(stream)
    yield stream
    for name, (handlers, level) in before.items():
        logging.getLogger(name).handlers = handlers
        logging.getLogger(name).setLevel(level)
        logging.getLogger(name).propagate = True
    logging.getLogger("uvicorn.access").disabled = False


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_a_request_without_a_text_or_a_key(log):
    records = []
    ring = KeyRing([ApiKey(name="ann", sha256=key_digest("k-e-y"))])
    client = TestClient(small_app(Guards(keys=lambda: ring, on_finish=records.append)))
    reply = client.post("/echo/m1", json={"texts": [SECRET, "b"]}, headers={"x-api-key": "k-e-y"})
    (line,) = lines(log)
    n_bytes = len(json.dumps({"texts": [SECRET, "b"]}, separators=(",", ":")))
    assert line | {"time": "", "seconds": 0, "read_s": 0, "write_s": 0} == {
        "time": "",
        "level": "info",
        "logger": "rewardsmith.web.requests",
        "message": "request",
        "id": reply.headers["x-request-id"],
        "method": "POST",
        "route": "/echo/{name}",
        "status": 200,
        "key": "ann",
        "model": "m1",
        "bytes": n_bytes,
        "texts": 2,
        "tokens": len(SECRET) + 1,
        "truncated": 0,
        "cached": 0,
        "seconds": 0,
        "read_s": 0,
        "queue_s": 0.0,
        "score_s": 0.0,
        "write_s": 0,
    }
    assert "private" not in log.getvalue()
    assert "k-e-y" not in log.getvalue()
    (record,) = records
    assert sum(record.stages.values()) == pytest.approx(record.total_s)
    assert reply.headers["x-extra"] == "yes"


def test_texts_where_the_operator_asks_for_them(log):
    client = TestClient(small_app(Guards(logs_texts=True)))
    client.post("/echo/m1", json={"texts": [SECRET]})
    assert lines(log)[0]["content"] == [SECRET]


def test_half_a_surrogate_pair_can_be_logged():
    record = logging.LogRecord("n", logging.INFO, "", 0, "m", None, None)
    record.fields = {"content": ["half \ud800"]}
    assert json.loads(JsonLines().format(record))["content"] == ["half \ud800"]


def test_a_bug_is_logged_by_its_place_and_not_by_its_words(log):
    client = TestClient(small_app(Guards()))
    reply = client.post("/fails/bug", json={"texts": [SECRET]})
    bug, request = lines(log)
    assert bug["id"] == request["id"] == reply.headers["x-request-id"]
    assert bug["exception"]["type"] == "ValueError"
    assert any("conftest.py" in frame and frame.endswith(" fails") for frame in bug["exception"]["frames"])
    assert (request["status"], request["error"]) == (500, "InternalError")
    assert "private" not in log.getvalue()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("abc-123.X:_", True),
        ("a" * 128, True),
        ("a" * 129, False),
        ("two words", False),
        ('"quoted"', False),
        ("", False),
    ],
)
def test_a_sane_id_of_the_client_is_kept(given, kept):
    reply = TestClient(small_app(Guards())).get("/health", headers={"x-request-id": given})
    assert (reply.headers["x-request-id"] == given) is kept
    assert reply.headers["x-request-id"]


def test_a_path_that_no_route_takes_is_not_logged(log):
    TestClient(small_app(Guards())).get("/my-secret-path")
    (line,) = lines(log)
    assert (line["route"], line["status"], line["error"]) == ("other", 404, "NotFoundError")
    assert "my-secret-path" not in log.getvalue()


def test_what_is_refused_before_the_routes_is_logged_too(log):
    client = TestClient(small_app(Guards(max_body_bytes=3)))
    client.post("/echo/m1", json={"texts": ["a"]})
    (line,) = lines(log)
    assert (line["status"], line["error"], line["route"]) == (413, "TooLargeError", "other")


def test_through_uvicorn_nothing_else_is_logged(log):
    """Neither its own access lines nor the words of an exception."""
    with listening(small_app(Guards())) as port:
        body = json.dumps({"texts": [SECRET]}).encode()
        head = (
            f"POST /fails/bug HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        )
        answer = raw_exchange(port, head.encode() + b"Connection: close\r\n\r\n" + body)
    assert answer.startswith(b"HTTP/1.1 500")
    assert "private" not in log.getvalue()
    assert "GET /" not in log.getvalue()
    assert [line["message"] for line in lines(log) if line["logger"].startswith("rewardsmith")] == [
        "an unexpected error",
        "request",
    ]


def test_a_client_that_goes_before_its_body_is_there_is_499(log):
    with listening(small_app(Guards())) as port, socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(b"POST /echo/m HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\n{")
    (request,) = [line for line in lines(log) if line["message"] == "request"]
    assert request["status"] == 499


def test_the_cause_of_an_exception_is_told_by_its_class():
    formatter = JsonLines()
    try:
        try:
            raise KeyError(SECRET)
        except KeyError as error:
            raise RuntimeError(SECRET) from error
    except RuntimeError as error:
        record = logging.LogRecord("n", logging.ERROR, "", 0, "m", None, (type(error), error, error.__traceback__))
    line = formatter.format(record)
    assert json.loads(line)["exception"]["cause"]["type"] == "KeyError"
    assert "private" not in line
    assert "private" in JsonLines(with_texts=True).format(record)
