"""The served score is the in-process score, by every route and for every family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from tests.serve.families import CONVERSATIONS, FAMILIES
from tests.serve.protocols.routes import CONVERSATION_ROUTES, ID_ROUTES, TEXT_ROUTES, post
from tests.serve.serving import serving

from rewardsmith.core.conversation import Conversation, assistant, to_dicts
from rewardsmith.scoring.load import load_scorer

TOLERANCE = 1e-5
READS_TEXTS = ("encoder", "decoder", "adapters", "attributes")
"""Families of one network over one tokenizer; the others are given texts as answers to nothing."""


@pytest.fixture(scope="session")
def in_process(folders: dict[str, Path]) -> Callable[[str], Any]:
    return cache(lambda family: load_scorer(folders[family], device="cpu"))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("route", CONVERSATION_ROUTES)
def test_the_server_scores_conversations_as_this_process_does(
    route: str, family: str, http: httpx2.Client, in_process: Callable[[str], Any]
) -> None:
    wanted = in_process(family).score(CONVERSATIONS).rewards

    served = CONVERSATION_ROUTES[route](http, family, CONVERSATIONS)

    np.testing.assert_allclose(served, wanted, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("route", TEXT_ROUTES)
def test_the_server_scores_texts_as_this_process_does(
    route: str, family: str, http: httpx2.Client, in_process: Callable[[str], Any]
) -> None:
    scorer = in_process(family)
    if family in READS_TEXTS:
        # A conversation and its rendered text are one and the same thing to the network.
        texts: Sequence[str] = [scorer.encoder.render(each) for each in CONVERSATIONS]
        wanted = scorer.score(CONVERSATIONS).rewards
    else:
        texts = [each[1].content for each in CONVERSATIONS]
        wanted = scorer.score([(assistant(text),) for text in texts]).rewards

    np.testing.assert_allclose(TEXT_ROUTES[route](http, family, texts), wanted, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("family", READS_TEXTS)
@pytest.mark.parametrize("route", ID_ROUTES)
def test_the_server_scores_token_ids_as_this_process_does(
    route: str, family: str, http: httpx2.Client, in_process: Callable[[str], Any]
) -> None:
    scorer = in_process(family)
    ids = [each.tolist() for each in scorer.encoder.encode(CONVERSATIONS)]

    served = ID_ROUTES[route](http, family, ids)

    np.testing.assert_allclose(served, scorer.score(CONVERSATIONS).rewards, atol=TOLERANCE, rtol=0)


def test_through_a_process_and_its_queue(real_http: httpx2.Client, in_process: Callable[[str], Any]) -> None:
    scorer = in_process("decoder")
    wanted = scorer.score(CONVERSATIONS).rewards
    texts = [scorer.encoder.render(each) for each in CONVERSATIONS]
    ids = [each.tolist() for each in scorer.encoder.encode(CONVERSATIONS)]
    for routes, asked in ((CONVERSATION_ROUTES, CONVERSATIONS), (TEXT_ROUTES, texts), (ID_ROUTES, ids)):
        for route, ask in routes.items():
            served = ask(real_http, "decoder", asked)
            np.testing.assert_allclose(served, wanted, atol=TOLERANCE, rtol=0, err_msg=route)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_in_a_process(family: str, folders: dict[str, Path], in_process: Callable[[str], Any]) -> None:
    wanted = in_process(family).score(CONVERSATIONS).rewards
    with serving({family: folders[family]}) as server, httpx2.Client(base_url=server.url, timeout=60) as client:
        for route, ask in CONVERSATION_ROUTES.items():
            served = ask(client, family, CONVERSATIONS)
            np.testing.assert_allclose(served, wanted, atol=TOLERANCE, rtol=0, err_msg=route)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_whole_scores(family: str, http: httpx2.Client, in_process: Callable[[str], Any]) -> None:
    wanted = in_process(family).score(CONVERSATIONS)

    reply = post(http, "/v1/rewards", {"model": family, "conversations": [to_dicts(each) for each in CONVERSATIONS]})

    rows = reply["data"]
    digests = {"model_digest": wanted.provenance.model_digest, "template_digest": wanted.provenance.template_digest}
    assert reply["provenance"] == digests
    assert [row["index"] for row in rows] == [0, 1, 2, 3]
    for name, values in (("spread", wanted.spread), ("members", None if wanted.members is None else wanted.members.T)):
        assert all((name in row) == (values is not None) for row in rows)
        if values is not None:
            np.testing.assert_allclose([row[name] for row in rows], values, atol=TOLERANCE)
    for name, values in wanted.attributes.items():
        np.testing.assert_allclose([row["attributes"][name] for row in rows], values, atol=TOLERANCE)
    assert all(("attributes" in row) == bool(wanted.attributes) for row in rows)
    for row, steps in zip(rows, wanted.steps or (None,) * len(rows), strict=True):
        assert ("steps" in row) == (steps is not None)
        if steps is not None:
            np.testing.assert_allclose(row["steps"], steps, atol=TOLERANCE)


def test_a_reward_reads_back_as_a_float32(http: httpx2.Client, in_process: Callable[[str], Any]) -> None:
    one: Sequence[Conversation] = CONVERSATIONS[:1]
    [served] = CONVERSATION_ROUTES["/v1/rewards"](http, "decoder", one)

    assert served == float(np.float32(served))
    assert served == pytest.approx(float(in_process("decoder").score(one).rewards[0]), abs=TOLERANCE)


def test_steps_by_token_classify(http: httpx2.Client, in_process: Callable[[str], Any]) -> None:
    wanted = in_process("process").score(CONVERSATIONS[1:2]).steps[0]

    body = {"model": "process", "messages": to_dicts(CONVERSATIONS[1]), "task": "token_classify"}
    [row] = post(http, "/pooling", body)["data"]

    assert len(row["data"]) == 2
    np.testing.assert_allclose(row["data"], wanted[:, None], atol=TOLERANCE)
