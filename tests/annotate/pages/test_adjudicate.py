from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from tests.annotate.pages.labelling import JSON, PROJECTS, add_project, browser, fields, signed_in, vote

from rewardsmith.annotate.answers import PairAnswer
from rewardsmith.annotate.store import LabelStore


@pytest.fixture
def disputed(store: LabelStore) -> LabelStore:
    """Two raters disagree on t0, and agree on t1."""
    add_project(store, PROJECTS["pairs"].model_copy(update={"name": "two", "overlap": 2}), n_tasks=2)
    for name, wanted in (("Ann", "A"), ("Bob", "B")):
        client = signed_in(store, "two", name)
        for text in (f"Answer {wanted} to t0.", "Answer A to t1."):
            vote(client, "two", choice=place_of(client, text), rationale=f"{name} says <b>so</b>.")
    return store


def place_of(client: TestClient, text: str) -> str:
    answers = client.get("/p/two/next", headers=JSON).json()["task"]["answers"]
    return str(1 + [answer[0]["content"] for answer in answers].index(text))


@pytest.mark.parametrize("role", ["adjudicator", "owner"])
def test_a_dispute_is_shown_with_its_votes_and_decided(disputed: LabelStore, role: str):
    client = signed_in(disputed, "two", "Judy", role)  # pyright: ignore[reportArgumentType]
    page = client.get("/p/two/adjudicate").text
    assert "Answer A to t0." in page
    assert "Ann says &lt;b&gt;so&lt;/b&gt;." in page
    assert "<b>Rater 1</b>" in page
    assert "Rater 3" not in page
    form = fields(client, "two", "/adjudicate")
    reply = client.post("/p/two/votes", data={**form, "choice": "1"})
    assert (reply.status_code, reply.headers["location"]) == (303, "/p/two/adjudicate")
    assert "No disputes" in client.get("/p/two/adjudicate").text
    decision = disputed.votes("two")[-1]
    assert (decision.task, decision.adjudication) == ("t0", True)
    assert isinstance(decision.answer, PairAnswer)
    undone = client.post("/p/two/undo", data={"csrf": form["csrf"]}, headers=JSON).json()
    assert undone == {"task": "t0", "page": "/p/two/adjudicate"}
    assert fields(client, "two", "/adjudicate")["task"] == "t0"


def test_disputes_are_for_adjudicators(disputed: LabelStore):
    assert signed_in(disputed, "two", "Eve").get("/p/two/adjudicate").status_code == 403
    assert browser(disputed).get("/p/two/adjudicate").status_code == 401


def test_without_disputes_the_page_says_so(store: LabelStore):
    assert "No disputes" in signed_in(store, "pairs", "Judy", "adjudicator").get("/p/pairs/adjudicate").text
