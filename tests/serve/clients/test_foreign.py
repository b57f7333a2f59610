"""The clients of other projects, as they send and read, against the rewards of the model in this process."""

from __future__ import annotations

import asyncio
import math
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import requests
from tests.scoring.scripted_server import scripted_server
from tests.serve.clients import foreign
from tests.serve.families import CONVERSATIONS
from tests.serve.serving import Serving

from rewardsmith.core.conversation import assistant, to_dicts, user
from rewardsmith.text.load import load_tokenizer

PROMPT = "What is 2 + 2?"
ANSWERS = ["5, I am sure", "4", "22"]


@pytest.fixture
def rendered(in_process: Callable[[str], Any]) -> list[str]:
    """`CONVERSATIONS` as a client of OpenRLHF's kind has them: rendered with the decoder's template, BOS and all."""
    return [in_process("decoder").encoder.render(each) for each in CONVERSATIONS]


@pytest.fixture
def wanted(in_process: Callable[[str], Any]) -> list[float]:
    """Their rewards."""
    return in_process("decoder").score(CONVERSATIONS).rewards.tolist()


@pytest.fixture
def ranked(in_process: Callable[[str], Any]) -> list[float]:
    """Rewards of `ANSWERS`."""
    return in_process("decoder").score([(user(PROMPT), assistant(text)) for text in ANSWERS]).rewards.tolist()


def near(values: Any) -> Any:
    return pytest.approx(values, abs=1e-5)


@pytest.mark.parametrize("family", ["decoder", "encoder"])
@pytest.mark.parametrize(
    ("engine", "key"), [("vllm", "use_activation"), ("vllm", "activation"), ("vllm", "softmax"), ("sglang", "")]
)
def test_verl(
    engine: str, key: str, family: str, server: Serving, folders: dict[str, Path], in_process: Callable[[str], Any]
) -> None:
    """The BOS that verl takes off is put back; of an encoder too, whose template begins with its own first token."""
    tokenizer = load_tokenizer(str(folders[family]))
    texts = [foreign.verl_prompt(to_dicts(each), tokenizer) for each in CONVERSATIONS]
    assert family != "decoder" or not any(text.startswith("<s>") for text in texts)

    async def ask() -> list[float]:
        return await asyncio.gather(
            *(foreign.verl(server.url, text, engine=engine, model=family, key=key) for text in texts)
        )

    assert asyncio.run(ask()) == near(in_process(family).score(CONVERSATIONS).rewards.tolist())


def test_verl_stops_at_a_mistake_of_its_own(server: Serving) -> None:
    with pytest.raises(httpx2.HTTPStatusError, match="404"):
        asyncio.run(foreign.verl(server.url, "text", engine="vllm", model="another"))
    with pytest.raises(httpx2.HTTPStatusError, match="413"):
        asyncio.run(foreign.verl(server.url, "x" * 300, engine="vllm", model="decoder"))


def test_without_special_tokens_nothing_is_put_before_a_text(server: Serving, in_process: Callable[[str], Any]) -> None:
    body = {"input": ["abc"], "add_special_tokens": False, "activation": False}
    encoder, scorer = in_process("decoder").encoder, in_process("decoder")
    bare = scorer.score_ids(encoder.tokenise(["abc"])).rewards.tolist()
    with_bos = scorer.score_ids(encoder.tokenise(["<s>abc"])).rewards.tolist()
    assert abs(bare[0] - with_bos[0]) > 1e-3

    def asked(**changes: Any) -> list[float]:
        return requests.post(f"{server.url}/classify", json=body | changes).json()["data"][0]["probs"]

    assert asked() == near(bare)
    assert asked(add_special_tokens=True) == near(with_bos)
    assert asked(add_special_tokens=None) == near(with_bos)
    assert asked(input=["<s>abc"]) == asked(input=["<s>abc"], add_special_tokens=True) == near(with_bos)


def test_openrlhf(server: Serving, rendered: list[str], wanted: list[float]) -> None:
    prompts, labels = [each[0].content for each in CONVERSATIONS], [""] * len(rendered)
    found = foreign.openrlhf(f"{server.url}/get_reward", rendered, prompts, labels)
    assert found["rewards"] == near(wanted)
    assert found["scores"] == near([1 / (1 + math.exp(-reward)) for reward in wanted])
    assert all(isinstance(value, float) for value in found["extra_logs"].values())


def test_openrlhf_never_takes_an_error_for_a_reward(server: Serving) -> None:
    """Five tries, then it stops: a status says what is wrong, and no reply without rewards has status 200."""
    started = time.monotonic()
    with pytest.raises(RuntimeError, match="five tries"):
        foreign.openrlhf(f"{server.url}/get_reward", ["x" * 300], ["p"], [""], pause_s=0.05)
    assert time.monotonic() - started < 10


def test_openrlhf_waits_for_a_server_that_starts(server: Serving, rendered: list[str], wanted: list[float]) -> None:
    """The first tries meet nobody; then something forwards to the server."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    found: list[Any] = []
    url, nothing = f"http://127.0.0.1:{port}/get_reward", [""] * len(rendered)
    asking = threading.Thread(
        target=lambda: found.append(foreign.openrlhf(url, rendered, nothing, nothing, pause_s=0.3))
    )
    asking.start()
    time.sleep(0.4)

    def forwarded(body: Any) -> Any:
        return requests.post(f"{server.url}/get_reward", json=body).json()

    with scripted_server(forwarded, port=port):
        asking.join(timeout=30)
    assert found[0]["rewards"] == near(wanted)


def test_llamafactory(server: Serving, rendered: list[str], wanted: list[float]) -> None:
    """Its client calls every model `model`."""
    assert foreign.llamafactory(server.url, rendered) == near(wanted)


def test_openai(server: Serving, rendered: list[str], wanted: list[float]) -> None:
    found = foreign.openai_embeddings(
        server.url, rendered, model="decoder", user="someone", dimensions=1, extra_body={"a": 1}
    )
    assert [row.shape for row in found] == [(1,)] * len(rendered)
    assert np.concatenate(found).tolist() == near(wanted)
    (one,) = foreign.openai_embeddings(server.url, rendered[0], model="decoder")
    assert one.tolist() == near(wanted[:1])


def test_tei(server: Serving, ranked: list[float]) -> None:
    best = max(range(3), key=ranked.__getitem__)
    raw = foreign.tei_rerank(server.url, PROMPT, ANSWERS, raw_scores=True, return_text=True, truncate=True)
    assert [row["score"] for row in raw] == near(sorted(ranked, reverse=True))
    assert (raw[0]["index"], raw[0]["text"]) == (best, ANSWERS[best])
    chances = foreign.tei_rerank(server.url, PROMPT, ANSWERS, raw_scores=False, return_text=False, truncate=False)
    assert [row["score"] for row in chances] == near([1 / (1 + math.exp(-row["score"])) for row in raw])
    assert "text" not in chances[0]
    pairs = [[PROMPT, answer] for answer in ANSWERS]
    assert [row[0]["score"] for row in foreign.tei_predict(server.url, pairs, raw_scores=True)] == near(ranked)
    assert foreign.tei_predict(server.url, pairs[0], raw_scores=True)[0]["score"] == near(ranked[0])


@pytest.mark.parametrize("route", ["/rerank", "/v1/rerank", "/v2/rerank"])
def test_vllm_rerank(route: str, server: Serving, ranked: list[float]) -> None:
    found = foreign.vllm_rerank(server.url, PROMPT, ANSWERS, route=route, top_n=2, return_documents=True)
    assert [row["relevance_score"] for row in found["results"]] == near(sorted(ranked, reverse=True)[:2])
    for row in found["results"]:
        assert row["document"]["text"] == ANSWERS[row["index"]]
    assert found["model"] == "decoder"
    assert found["usage"]["total_tokens"] > 0


def test_vllm_score(server: Serving, ranked: list[float]) -> None:
    assert foreign.vllm_score(server.url, PROMPT, ANSWERS) == near(ranked)
    assert foreign.vllm_score(server.url, [PROMPT] * 3, ANSWERS) == near(ranked)
    assert foreign.vllm_score(server.url, PROMPT, ANSWERS[0]) == near(ranked[:1])


def test_plain_http(server: Serving, wanted: list[float]) -> None:
    body = {"conversations": [to_dicts(each) for each in CONVERSATIONS]}
    reply = httpx2.post(f"{server.url}/v1/rewards", json=body)
    assert [row["reward"] for row in reply.json()["data"]] == near(wanted)
    assert reply.headers["X-Rewardsmith-Rendering"] == "template"
    assert reply.headers["X-Rewardsmith-Gate"]
