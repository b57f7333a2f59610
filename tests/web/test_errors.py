from __future__ import annotations

import json
import logging

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from tests.web.conftest import small_app

from rewardsmith.core.errors import (
    ForbiddenError,
    OverloadError,
    RewardsmithError,
    SlowClientError,
    UnauthorizedError,
)
from rewardsmith.web.errors import ErrorReply, error_reply, error_responses, fault_of
from rewardsmith.web.guards import Guards

KEYS = {"type", "message", "wanted", "got", "where", "fix", "request_id"}


@pytest.fixture
def client():
    return TestClient(small_app(Guards()))


def told(reply):
    """The envelope's inside, after its form was checked."""
    body = reply.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == KEYS
    ErrorReply.model_validate(body)
    assert body["error"]["request_id"] == reply.headers["x-request-id"]
    return body["error"]


def test_an_error_of_ours_is_told_whole(client):
    reply = client.post("/fails/overlength", json={"texts": ["a"]})
    assert reply.status_code == 413
    assert told(reply) | {"request_id": ""} == {
        "type": "OverlengthError",
        "message": "too many tokens",
        "wanted": "at most 5",
        "got": "9",
        "where": "texts.0",
        "fix": "truncate",
        "request_id": "",
    }


def test_retry_after_is_rounded_up(client):
    reply = client.post("/fails/overload", json={"texts": ["a"]})
    assert reply.status_code == 429
    assert reply.headers["retry-after"] == "3"


@pytest.mark.parametrize(("wait_s", "header"), [(0.01, "1"), (1.0, "1"), (1.01, "2"), (59.5, "60")])
def test_retry_after_never_says_too_early(wait_s, header):
    assert fault_of(OverloadError("full", retry_after_s=wait_s)).headers["Retry-After"] == header


def test_a_validation_error_names_the_place(client):
    error = told(reply := client.post("/echo/m", json={"texts": ["a"], "number": "seven"}))
    assert reply.status_code == 422
    assert error["type"] == "InvalidRequestError"
    assert error["where"] == "number"
    assert error["got"] == "seven"
    assert "integer" in error["wanted"]


def test_of_a_missing_key_the_rest_of_the_body_is_not_told(client):
    error = told(client.post("/echo/m", json={"number": 1, "secret": "x" * 50}))
    assert error["where"] == "texts"
    assert error["got"] is None


@pytest.mark.parametrize(
    ("status", "kind", "call"),
    [
        (404, "NotFoundError", lambda c: c.get("/nowhere")),
        (405, "MethodNotAllowedError", lambda c: c.get("/echo/m")),
        (415, "UnsupportedMediaTypeError", lambda c: c.post("/echo/m", content=b"a=b", headers=form())),
        (400, "BadRequestError", lambda c: c.post("/echo/m", content=b"{", headers=as_json())),
        (422, "InvalidRequestError", lambda c: c.post("/echo/m", content=b"[1]", headers=as_json())),
        (422, "InvalidRequestError", lambda c: c.post("/echo/m")),
    ],
)
def test_http_errors_have_the_envelope_too(client, status, kind, call):
    reply = call(client)
    assert reply.status_code == status
    assert told(reply)["type"] == kind


def test_a_method_that_is_not_allowed_names_those_that_are(client):
    assert client.get("/echo/m").headers["allow"] == "POST"


def test_a_bug_tells_nothing_but_the_request_id(client, caplog):
    with caplog.at_level(logging.INFO, "rewardsmith"):
        reply = client.post("/fails/bug", json={"texts": ["my private words"]})
    error = told(reply)
    assert reply.status_code == 500
    assert error["type"] == "InternalError"
    assert "private" not in reply.text
    assert "ValueError" not in reply.text
    logged = [record for record in caplog.records if record.exc_info]
    assert [record.fields["id"] for record in logged] == [error["request_id"]]  # pyright: ignore


def test_nesting_without_end_is_an_error_and_no_crash(client):
    reply = client.post("/echo/m", content=b"[" * 100_000, headers=as_json())
    assert reply.status_code in (400, 422)
    told(reply)


@pytest.mark.parametrize(
    ("error", "header"),
    [
        (UnauthorizedError("no key"), ("WWW-Authenticate", "Bearer")),
        (SlowClientError("too slow"), ("Connection", "close")),
    ],
)
def test_headers_that_a_status_needs(error, header):
    assert header in fault_of(error).headers.items()
    assert not fault_of(ForbiddenError("no")).headers


@given(got=st.text(st.characters(), max_size=300), where=st.text(max_size=30))
def test_whatever_came_can_be_told(got, where):
    """Half surrogate pairs and control characters included."""
    body = error_reply(RewardsmithError("wrong", got=got + "\ud800", where=where), request_id="r").body
    error = json.loads(bytes(body))["error"]
    assert len(error["got"]) <= 200
    assert error["where"] == where


def test_responses_for_openapi():
    assert error_responses(429, 503) == {
        429: {"model": ErrorReply, "description": "Too Many Requests"},
        503: {"model": ErrorReply, "description": "Service Unavailable"},
    }


def as_json():
    return {"content-type": "application/json"}


def form():
    return {"content-type": "application/x-www-form-urlencoded"}
