"""Whatever comes in, the reply is a 4xx in the one envelope that says what was wrong."""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.serve.serving import Serving

ANSWER = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
HUGE = 10**40
NOT_A_MODEL = {"model": "nobody"}

BODIES: dict[str, dict[str, Any]] = {
    "/v1/rewards": {"prompt": "a", "answers": ["b", "c"]},
    "/classify": {"input": "a"},
    "/pooling": {"input": "a"},
    "/score": {"queries": "a", "documents": ["b"]},
    "/v1/score": {"text_1": "a", "text_2": ["b"]},
    "/rerank": {"query": "a", "documents": ["b", "c"]},
    "/v1/rerank": {"query": "a", "documents": ["b", "c"]},
    "/v2/rerank": {"query": "a", "texts": ["b", "c"]},
    "/predict": {"inputs": ["a", "b"]},
    "/v1/embeddings": {"input": ["a"]},
    "/get_reward": {"query": ["a"], "prompts": ["a"], "labels": ["x"]},
    "/v1/score/evaluation": {"model": "decoder", "messages": ["a"]},
}
"""One good body each."""


def refused(reply: httpx2.Response, *statuses: int) -> dict[str, Any]:
    """The error in the envelope."""
    assert reply.status_code in (statuses or range(400, 500)), reply.text
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-request-id"]
    assert list(reply.json()) == ["error"]
    error = reply.json()["error"]
    assert list(error) == ["type", "message", "wanted", "got", "where", "fix", "request_id"]
    assert error["request_id"] == reply.headers["x-request-id"]
    assert len(reply.content) < 3000
    return error


def send(http: httpx2.Client, path: str, content: bytes, kind: str | None = "application/json") -> httpx2.Response:
    return http.post(path, content=content, headers={"Content-Type": kind} if kind else {})


@pytest.mark.parametrize("path", BODIES)
def test_the_good_bodies_are_good(path: str, http: httpx2.Client) -> None:
    assert http.post(path, json=BODIES[path]).status_code == 200


@pytest.mark.parametrize("path", BODIES)
def test_an_unknown_model_is_404_and_names_the_known_ones(path: str, http: httpx2.Client) -> None:
    error = refused(http.post(path, json=BODIES[path] | NOT_A_MODEL), 404)
    assert "decoder" in error["wanted"]


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, 400),
        (b'{"input": NaN}', 400),
        (b'{"input": Infinity}', 400),
        (b'{"input": 1e999}', 400),
        (b'{"input": "\\ud800"}', 400),
        (b"null", 422),
        (b"[]", 422),
        (b'"a"', 422),
        (b"3", 422),
        (b"{}", 422),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_request(path: str, content: bytes, status: int, http: httpx2.Client) -> None:
    refused(send(http, path, content), status)


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x", None])
def test_another_content_type(path: str, kind: str | None, http: httpx2.Client) -> None:
    refused(send(http, path, json.dumps(BODIES[path]).encode(), kind), 415)


@pytest.mark.parametrize("path", BODIES)
def test_another_method(path: str, http: httpx2.Client) -> None:
    reply = http.get(path)
    refused(reply, 405)
    assert "POST" in reply.headers["allow"]


def wrong_values() -> list[Any]:
    return [
        None, True, 3, -1, 1.5, HUGE, 1e308, "", [], {}, [""], [[]], [[[]]], [None], [True], [1.5], [-1], [HUGE],
        [2**31], [[-1]], ["a", 1], [1, "a"], [["a"], "b"], ["a", ["b"]], ["a", None], {"a": 1}, [{"a": 1}],
        [{"text": 1}], [{"content": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1/"}}]}],
        [{"role": "assistant"}], [{"role": "judge", "content": "a"}], [{"role": "user", "content": "a"}],
        [{"role": "assistant", "content": 3}], [{"role": "assistant", "content": None}],
    ]  # fmt: skip


@pytest.mark.parametrize("path", BODIES)
def test_wrong_values_under_every_key_are_never_5xx(path: str, http: httpx2.Client) -> None:
    for key in BODIES[path]:
        for value in wrong_values():
            reply = http.post(path, json=BODIES[path] | {key: value})
            assert reply.status_code < 500, (key, value, reply.text)
            if reply.status_code != 200:
                refused(reply)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/classify", "input"),
        ("/v1/embeddings", "input"),
        ("/predict", "inputs"),
        ("/rerank", "documents"),
        ("/score", "documents"),
        ("/v1/rewards", "answers"),
        ("/v1/score/evaluation", "messages"),
    ],
)
def test_nothing_to_score(path: str, key: str, http: httpx2.Client) -> None:
    refused(http.post(path, json=BODIES[path] | {key: []}), 422)


@pytest.mark.parametrize(("path", "key"), [("/classify", "input"), ("/predict", "inputs"), ("/get_reward", "query")])
def test_an_empty_text_has_no_tokens(path: str, key: str, http: httpx2.Client) -> None:
    refused(http.post(path, json=BODIES[path] | {key: ""}), 422)
    refused(http.post(path, json=BODIES[path] | {key: [""]}), 422)


def test_a_million_items(http: httpx2.Client) -> None:
    assert "at most" in refused(send(http, "/classify", b'{"input": [' + b'"a",' * 999_999 + b'"a"]}'), 413)["wanted"]
    refused(send(http, "/classify", b'{"input": [' + b"null," * 999_999 + b"1]}"), 422)
    refused(send(http, "/classify", b'{"input": [' + b"1," * 999_999 + b"1]}"), 413)


def test_a_body_that_is_too_large(http: httpx2.Client) -> None:
    refused(send(http, "/classify", b'{"input": "' + b"a" * (17 << 20) + b'"}'), 413)


def test_a_text_that_is_too_long_is_counted_and_cut_where_asked(http: httpx2.Client) -> None:
    body = {"model": "decoder", "input": "a" * 500, "add_special_tokens": False}
    error = refused(http.post("/classify", json=body), 413)
    assert error["got"] == "500 tokens"
    assert error["wanted"] == "at most 200 tokens"

    cut = http.post("/classify", json=body | {"truncate_prompt_tokens": -1})

    assert cut.status_code == 200
    assert cut.headers["x-rewardsmith-truncated"] == "1"
    assert cut.json()["usage"]["prompt_tokens"] == 200
    assert refused(http.post("/classify", json=body | {"truncate_prompt_tokens": 0}), 400)["where"]
    assert refused(http.post("/classify", json=body | {"truncate_prompt_tokens": 9, "truncation_side": "right"}), 400)


def test_token_ids_that_the_model_does_not_have(http: httpx2.Client) -> None:
    for ids in ([99_999], [[1, 2], [2**31 - 1]]):
        refused(http.post("/classify", json={"model": "decoder", "input": ids}), 422)


def test_a_family_says_what_it_cannot(http: httpx2.Client) -> None:
    refused(http.post("/classify", json={"model": "merged", "input": [1, 2]}), 422)
    body = {"model": "decoder", "messages": ANSWER, "task": "token_classify"}
    assert "steps" in refused(http.post("/pooling", json=body), 422)["message"]


def test_a_conversation_without_an_answer(http: httpx2.Client) -> None:
    for path, body in (("/classify", {"messages": ANSWER[:1]}), ("/v1/rewards", {"conversations": [ANSWER[:1]]})):
        assert "role assistant" in refused(http.post(path, json=body), 422)["wanted"]


def test_foreign_formats_ignore_what_they_do_not_know_and_ours_refuses_it(http: httpx2.Client) -> None:
    for path, body in BODIES.items():
        reply = http.post(path, json=body | {"user": "u", "extra_body": {"x": [1]}})
        if path == "/v1/rewards":
            refused(reply, 422)
        else:
            assert reply.status_code == 200, path


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"prompt": "a"},
        {"answers": ["b"]},
        {"prompt": "a", "texts": ["b"]},
        {"conversations": [ANSWER], "texts": ["b"]},
        {"conversations": [ANSWER], "max_tokens": 0},
        {"conversations": [ANSWER], "baseline": 1},
        {"conversations": [ANSWER], "baseline": -1},
        {"conversations": [ANSWER], "baseline": 0.5},
        {"conversations": [ANSWER], "baseline": {"reward": 1e39}},
        {"conversations": [ANSWER], "baseline": {"reward": "1"}},
        {"conversations": [ANSWER], "baseline": ANSWER[:1]},
        {"conversations": [ANSWER], "baseline": [{"role": "user", "content": "else"}, ANSWER[1]]},
        {"texts": ["a"], "baseline": ANSWER},
        {"conversations": [ANSWER], "truncate": "yes"},
    ],
    ids=str,
)
def test_our_own_format_refuses(body: dict[str, Any], http: httpx2.Client) -> None:
    refused(http.post("/v1/rewards", json=body), 422)


def test_queries_and_documents_that_do_not_pair_up(http: httpx2.Client) -> None:
    error = refused(http.post("/score", json={"queries": ["a", "b"], "documents": ["c", "d", "e"]}), 400)
    assert error["got"] == "2 queries, 3 documents"


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(TEXTS, min_size=1, max_size=3))
def test_any_text_is_scored_or_refused(texts: list[str], http: httpx2.Client) -> None:
    for path, body in (
        ("/classify", {"input": texts, "truncate_prompt_tokens": -1}),
        ("/v1/rewards", {"prompt": texts[0], "answers": texts, "truncate": True}),
        ("/v1/rewards", {"prompt": texts[0], "answers": texts, "truncate": True, "model": "process"}),
        ("/rerank", {"query": texts[0], "texts": texts, "truncate": True}),
        ("/get_reward", {"query": texts}),
    ):
        reply = http.post(path, json=body)
        assert reply.status_code < 500, reply.text
        if reply.status_code != 200:
            refused(reply)


def test_what_is_no_http_does_not_stop_the_server(every_family: Serving, http: httpx2.Client) -> None:
    port = int(every_family.url.rpartition(":")[2])
    for garbage in (b"\x00\x01\x02\r\n\r\n", b"POST /classify HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"\r\n" * 99):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(garbage)
            connection.settimeout(2)
            try:
                connection.recv(4096)
            except TimeoutError:
                continue
    assert http.get("/health").status_code == 200
