"""Each format's own shape, as its clients read it."""

from __future__ import annotations

import math
from typing import Any

import httpx2
import numpy as np
import pytest
from tests.serve.families import CONVERSATIONS
from tests.serve.protocols.routes import post

from rewardsmith.core.conversation import to_dicts

QUERY = CONVERSATIONS[0][0].content
DOCUMENTS = [each[1].content for each in CONVERSATIONS[:3]]


@pytest.fixture(scope="session")
def rewards(http: httpx2.Client) -> list[float]:
    """Of the three answers, by the decoder."""
    reply = post(http, "/v1/rewards", {"model": "decoder", "prompt": QUERY, "answers": DOCUMENTS})
    return [row["reward"] for row in reply["data"]]


def near(values: Any) -> Any:
    return pytest.approx(values, abs=1e-5)


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_classify(http: httpx2.Client) -> None:
    reply = post(http, "/classify", {"model": "decoder", "input": ["abc", "de"], "add_special_tokens": False})

    assert list(reply) == ["id", "object", "created", "model", "data", "usage"]
    assert reply["object"] == "list"
    assert reply["model"] == "decoder"
    assert reply["usage"] == {"prompt_tokens": 5, "total_tokens": 5, "completion_tokens": 0}
    assert [row["index"] for row in reply["data"]] == [0, 1]
    for row in reply["data"]:
        assert list(row) == ["index", "label", "probs", "num_classes"]
        assert row["num_classes"] == len(row["probs"]) == 1


def test_a_sigmoid_that_is_asked_for_and_no_softmax(http: httpx2.Client, rewards: list[float]) -> None:
    body = {"model": "decoder", "messages": to_dicts(CONVERSATIONS[0])}
    for name in ("activation", "use_activation"):
        [row] = post(http, "/classify", body | {name: True})["data"]
        assert row["probs"] == near([sigmoid(rewards[0])])
        [row] = post(http, "/pooling", body | {name: True})["data"]
        assert row["data"] == near([sigmoid(rewards[0])])
    reply = http.post("/classify", json=body | {"softmax": True})
    assert reply.status_code == 400
    assert "softmax" in reply.json()["error"]["message"]


def test_messages_in_parts_and_a_developer(http: httpx2.Client) -> None:
    plain = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a b"}]
    parts = [
        {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "content": [{"type": "text", "text": "a "}, {"type": "text", "text": "b"}]},
    ]
    answer = [{"role": "assistant", "content": "c"}]

    one, other = (post(http, "/classify", {"messages": [*each, *answer]})["data"] for each in (plain, parts))

    assert one == other


def test_score_of_one_query_and_many_documents(http: httpx2.Client, rewards: list[float]) -> None:
    for first, second in (("queries", "documents"), ("queries", "items"), ("text_1", "text_2"), ("data_1", "data_2")):
        for query in (QUERY, [QUERY], {"content": [{"type": "text", "text": QUERY}]}):
            reply = post(http, "/score", {"model": "decoder", first: query, second: DOCUMENTS})
            assert [row["score"] for row in reply["data"]] == near(rewards)
            assert {row["object"] for row in reply["data"]} == {"score"}
    one = post(http, "/v1/score", {"model": "decoder", "text_1": QUERY, "text_2": DOCUMENTS[0]})
    assert [row["score"] for row in one["data"]] == near(rewards[:1])


def test_rerank_gives_the_best_first_and_ties_by_index(http: httpx2.Client, rewards: list[float]) -> None:
    twice = [*DOCUMENTS, *DOCUMENTS]
    order = np.argsort(-np.array(rewards)).tolist()
    wanted = [place for each in order for place in (each, each + 3)]

    reply = post(http, "/rerank", {"model": "decoder", "query": QUERY, "documents": twice})

    assert [row["index"] for row in reply["results"]] == wanted
    assert [row["document"]["text"] for row in reply["results"]] == [twice[place] for place in wanted]
    assert [row["relevance_score"] for row in reply["results"]] == near([rewards[place % 3] for place in wanted])


@pytest.mark.parametrize(("top_n", "n"), [(1, 1), (2, 2), (0, 3), (None, 3), (9, 3)])
def test_top_n(top_n: int | None, n: int, http: httpx2.Client, rewards: list[float]) -> None:
    body = {"model": "decoder", "query": QUERY, "documents": [{"text": each} for each in DOCUMENTS], "top_n": top_n}
    results = post(http, "/v2/rerank", body | {"return_documents": False})["results"]

    assert len(results) == n
    assert results[0] == {"index": int(np.argmax(rewards)), "relevance_score": near(max(rewards))}


def test_rerank_as_tei_has_it(http: httpx2.Client, rewards: list[float]) -> None:
    body = {"model": "decoder", "query": QUERY, "texts": DOCUMENTS}
    best = int(np.argmax(rewards))

    reply = post(http, "/rerank", body)
    raw = post(http, "/rerank", body | {"raw_scores": True, "return_text": True})

    assert isinstance(reply, list)
    assert reply[0] == {"index": best, "score": near(sigmoid(rewards[best]))}
    assert raw[0] == {"index": best, "score": near(rewards[best]), "text": DOCUMENTS[best]}
    assert [row["index"] for row in reply] == [row["index"] for row in raw]


def test_predict_tells_one_pair_from_a_batch(http: httpx2.Client, rewards: list[float]) -> None:
    pair = post(http, "/predict", {"model": "decoder", "inputs": [QUERY, DOCUMENTS[0]]})
    assert pair == [{"score": near(sigmoid(rewards[0])), "label": "LABEL_0"}]

    text = post(http, "/predict", {"model": "decoder", "inputs": DOCUMENTS[0], "raw_scores": True})
    listed = post(http, "/predict", {"model": "decoder", "inputs": [DOCUMENTS[0]], "raw_scores": True})
    inputs = [[QUERY, DOCUMENTS[1]], [DOCUMENTS[0]], [QUERY, DOCUMENTS[0]]]
    batch = post(http, "/predict", {"model": "decoder", "inputs": inputs, "raw_scores": True})

    assert text == listed
    assert text[0]["score"] != near(rewards[0])
    assert [row[0]["score"] for row in batch] == near([rewards[1], text[0]["score"], rewards[0]])


def test_get_reward(http: httpx2.Client) -> None:
    reply = post(http, "/get_reward", {"model": "decoder", "query": ["abc", "de"], "prompts": ["a"], "labels": [None]})

    assert list(reply) == ["rewards", "scores", "extra_logs"]
    assert reply["scores"] == near([sigmoid(reward) for reward in reply["rewards"]])
    assert reply["extra_logs"] == {"truncated": 0.0, "tokens": 2.5}
    assert set(post(http, "/get_reward", {"model": "ensemble", "query": ["a"]})["extra_logs"]) >= {"spread"}


def test_a_server_of_several_that_is_given_no_query_gives_no_reward(http: httpx2.Client) -> None:
    body: dict[str, Any] = {"query": [], "prompts": [], "labels": []}
    assert post(http, "/get_reward", body) == {"rewards": [], "scores": [], "extra_logs": {}}


def test_score_evaluation_cuts_where_it_is_told_to(http: httpx2.Client) -> None:
    whole = post(http, "/v1/score/evaluation", {"model": "decoder", "messages": ["ab" * 30, "b"]})
    cut = post(http, "/v1/score/evaluation", {"model": "decoder", "messages": ["xxab" * 30, "b"], "max_length": 60})

    assert list(whole) == ["id", "object", "model", "scores"]
    assert whole["object"] == "score.evaluation"
    assert whole["scores"][0] != near(cut["scores"][0])
    assert whole["scores"][1] == near(cut["scores"][1])


def test_headers_say_how_a_text_was_read_and_that_no_gate_vouches_for_the_model(http: httpx2.Client) -> None:
    for model, body, rendering in (
        ("decoder", {"input": "a"}, "as-is"),
        ("decoder", {"messages": to_dicts(CONVERSATIONS[0])}, "template"),
        ("merged", {"input": "a"}, "template"),
    ):
        reply = http.post("/classify", json={"model": model, **body})
        assert reply.headers["x-rewardsmith-rendering"] == rendering
        assert reply.headers["x-rewardsmith-gate"] == "ungated"
        assert "x-rewardsmith-truncated" not in reply.headers


def test_the_first_model_is_the_default(http: httpx2.Client) -> None:
    for name in (None, ""):
        assert post(http, "/classify", {"model": name, "input": "a"})["model"] == "encoder"
