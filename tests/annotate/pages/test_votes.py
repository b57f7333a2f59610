"""Voting by forms, as a browser without scripts does it; what is not one's own; forms of others."""

from __future__ import annotations

import uuid

import pytest
from tests.annotate.pages.labelling import (
    HTML,
    JSON,
    PROJECTS,
    add_project,
    browser,
    fields,
    hidden,
    link,
    signed_in,
    vote,
)

from rewardsmith.annotate.answers import AttributesAnswer, FirstErrorAnswer, PairAnswer, RankingAnswer
from rewardsmith.annotate.store import LabelStore
from rewardsmith.core.conversation import response_text


def shown_texts(client, project: str) -> list[str]:
    """The answers in the order of the page."""
    return [answer[0]["content"] for answer in client.get(f"/p/{project}/next", headers=JSON).json()["task"]["answers"]]


def test_a_vote_is_for_the_answer_that_stood_there(store: LabelStore):
    client = signed_in(store, "pairs", "Ann")
    for place in ("1", "2", "1"):
        wanted = shown_texts(client, "pairs")[int(place) - 1]
        task = fields(client, "pairs")["task"]
        reply = vote(client, "pairs", choice=place)
        assert (reply.status_code, reply.headers["location"]) == (303, "/p/pairs")
        last = store.votes("pairs")[-1]
        assert isinstance(last.answer, PairAnswer)
        chosen = store.task("pairs", task).responses[0 if last.answer.choice == "first" else 1]
        assert response_text(chosen) == wanted
    assert "That was all" in client.get("/p/pairs").text


def test_all_kinds_by_forms_alone(store: LabelStore):
    for name in ("axes", "ranks", "ratings", "steps"):
        add_project(store, PROJECTS[name], n_tasks=1)
    sides = {"axis:helpful": "1", "axis:truthful": "tie", "axis:harmless": "2", "choice": "1"}
    said = {
        "axes": {**sides, "rationale": " It is\r\nright. "},
        "ranks": {f"rank:{place}": str(place) for place in range(1, 5)},
        "ratings": {"value:depth": "0", "value:style": "3"},
        "steps": {"step": "3"},
    }
    for name, each in said.items():
        client = signed_in(store, name, "Ann")
        assert vote(client, name, **each).status_code == 303, name
    [axes], [ranks], [ratings], [steps] = (store.votes(name) for name in said)
    first = "first" if axes.shown[0] == 0 else "second"
    second = {"first": "second", "second": "first"}[first]
    assert axes.answer == PairAnswer(first, {"helpful": first, "truthful": "tie", "harmless": second})  # pyright: ignore
    assert axes.rationale == "It is\nright."
    assert ranks.answer == RankingAnswer(tuple(ranks.shown.index(response) + 1 for response in range(4)))
    assert ratings.answer == AttributesAnswer({"depth": 0, "style": 3})
    assert steps.answer == FirstErrorAnswer(2)


def test_a_vote_sent_twice_is_one_and_a_script_gets_json(store: LabelStore):
    client = signed_in(store, "pairs", "Ann")
    form = fields(client, "pairs")
    told = [client.post("/p/pairs/votes", data={**form, "choice": "1"}, headers=JSON).json() for _ in range(3)]
    assert told == [{"vote": form["id"], "task": "t0", "page": "/p/pairs"}] * 3
    assert [each.id for each in store.votes("pairs")] == [form["id"]]


def test_skips_and_time(store: LabelStore):
    client = signed_in(store, "pairs", "Ann")
    vote(client, "pairs", skip="1", seconds="12.5")
    vote(client, "pairs", choice="1", seconds="", began="0")
    vote(client, "pairs", choice="1", seconds="nan", began="inf")
    skipped, late, unknown = store.votes("pairs")
    assert (skipped.answer, skipped.seconds, late.seconds, unknown.seconds) == (None, 12.5, 86_400.0, 0.0)


def test_undo_takes_back_the_last_vote_and_shows_its_task_as_it_stood(store: LabelStore):
    client = signed_in(store, "pairs", "Ann")
    vote(client, "pairs", choice="2")
    before = shown_texts(client, "pairs")
    vote(client, "pairs", choice="1")
    assert [each.task for each in store.votes("pairs")] == ["t0", "t1"]
    assert (
        client.post("/p/pairs/undo", data={"csrf": fields(client, "pairs")["csrf"]}).headers["location"] == "/p/pairs"
    )
    assert [each.task for each in store.votes("pairs")] == ["t0"]
    assert fields(client, "pairs")["task"] == "t1"
    assert shown_texts(client, "pairs") == before
    assert [event.kind for event in store.events("pairs")].count("voted") == 2


def test_an_older_page_of_a_task_votes_in_its_own_order(store: LabelStore):
    """A lease lapses, the task comes again in another order, and the rater votes on the page that was still open."""
    client = signed_in(store, "pairs", "Ann")
    rater = store.raters("pairs")[0].id
    for i in range(40):
        older, texts = fields(client, "pairs"), shown_texts(client, "pairs")
        store.next_task("pairs", rater, now=10.0**10 + 10.0**5 * i)
        if shown_texts(client, "pairs") != texts:
            break
    else:
        pytest.fail("the task never came in another order")
    assert client.post("/p/pairs/votes", data={**older, "choice": "1"}).status_code == 303
    [cast] = store.votes("pairs")
    assert isinstance(cast.answer, PairAnswer)
    chosen = store.task("pairs", "t0").responses[0 if cast.answer.choice == "first" else 1]
    assert response_text(chosen) == texts[0]
    assert response_text(store.task("pairs", "t0").responses[cast.shown[0]]) == texts[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"choice": "3"},
        {"choice": ""},
        {},
        {"choice": "1", "id": "no-uuid"},
        {"choice": "1", "id": ""},
        {"choice": "1", "task": "nothing"},
        {"choice": "1", "task": "t1"},
        {"choice": "1", "task": "t0' OR '1'='1"},
        {"choice": "1", "offer": "1"},
        {"choice": "1", "offer": "9" * 15},
        {"choice": "1", "offer": "9" * 400},
        {"choice": "1", "offer": "-1"},
        {"choice": "1", "rationale": "x" * 10_001},
    ],
)
def test_what_does_not_fit_is_refused_in_words_and_nothing_is_cast(store: LabelStore, wrong: dict[str, str]):
    client = signed_in(store, "pairs", "Ann")
    reply = client.post("/p/pairs/votes", data={**fields(client, "pairs"), **wrong})
    assert reply.status_code == 422
    assert "<h1>" in reply.text
    assert store.votes("pairs") == []


@pytest.mark.parametrize("token", [None, "", "wrong", "é" * 64])
def test_a_form_without_the_sessions_token_is_refused(store: LabelStore, token: str | None):
    client = signed_in(store, "pairs", "Ann")
    form = {**fields(client, "pairs"), "choice": "1"}
    form.pop("csrf")
    if token is not None:
        form["csrf"] = token
    for path in ("votes", "undo", "sign-out"):
        assert client.post(f"/p/pairs/{path}", data=form).status_code == 403
    assert store.votes("pairs") == []


def test_the_token_of_another_session_is_refused_and_the_header_is_taken(store: LabelStore):
    ann, eve = (signed_in(store, "pairs", name) for name in ("Ann", "Eve"))
    other = fields(eve, "pairs")["csrf"]
    form = {**fields(ann, "pairs"), "choice": "1"}
    csrf = form.pop("csrf")
    assert ann.post("/p/pairs/votes", data={**form, "csrf": other}).status_code == 403
    assert ann.post("/p/pairs/votes", data=form, headers={"X-CSRF-Token": other}).status_code == 403
    assert ann.post("/p/pairs/votes", data=form, headers={"X-CSRF-Token": csrf}).status_code == 303


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_form_from_another_site_is_refused_whatever_it_holds(store: LabelStore, headers: dict[str, str]):
    client = signed_in(store, "pairs", "Ann")
    form = {**fields(client, "pairs"), "choice": "1"}
    for path in ("votes", "undo", "sign-out"):
        assert client.post(f"/p/pairs/{path}", data=form, headers=headers).status_code == 403
    assert store.votes("pairs") == []


def test_nobody_sees_or_changes_the_votes_of_others(store: LabelStore):
    project = PROJECTS["pairs"].model_copy(update={"name": "two", "overlap": 2, "rationale": "optional"})
    add_project(store, project, n_tasks=1)
    ann, eve = (signed_in(store, "two", name) for name in ("Ann", "Eve"))
    cast = fields(ann, "two")
    vote(ann, "two", choice="1", rationale="Between us: a secret.")
    [first] = store.votes("two")
    form = fields(eve, "two")
    # Her id, her offer, or both, in Eve's form.
    own = store.votes("two")[0].id
    for stolen in ({"id": own}, {"offer": cast["offer"]}, {"id": own, "offer": cast["offer"]}):
        reply = eve.post("/p/two/votes", data={**form, **stolen, "choice": "2"})
        assert reply.status_code == 422
        assert "secret" not in reply.text
    for name, value in (("rater", first.rater), ("project", "pairs"), ("adjudication", "1")):
        eve.post("/p/two/votes", data={**form, "id": str(uuid.uuid4()), name: value, "choice": "2"})
    assert store.votes("two")[0] == first
    eve.post("/p/two/undo", data={"csrf": form["csrf"]})
    eve.post("/p/two/undo", data={"csrf": form["csrf"]})
    assert store.votes("two") == [first]
    for path in ("", "/next", "/guidelines"):
        assert "secret" not in eve.get(f"/p/two{path}").text
        assert "Ann" not in eve.get(f"/p/two{path}").text


def test_a_rater_has_neither_an_adjudicators_nor_an_owners_pages(store: LabelStore):
    client = signed_in(store, "pairs", "Ann")
    for path in ("adjudicate", "dashboard", "dashboard/coverage", "dashboard/next", "dashboard/raters"):
        assert client.get(f"/p/pairs/{path}").status_code in (403, 404), path
        assert browser(store).get(f"/p/pairs/{path}").status_code in (401, 404), path
    form = {**fields(client, "pairs"), "choice": "1", "adjudication": "1"}
    assert client.post("/p/pairs/votes", data=form).status_code == 403


@pytest.mark.parametrize("media_type", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
def test_only_forms_are_forms(store: LabelStore, media_type: str):
    """A page of another site can send `text/plain` without asking; JSON is read nowhere."""
    client = signed_in(store, "pairs", "Ann")
    reply = client.post("/p/pairs/votes", content=b"csrf=1", headers={"Content-Type": media_type})
    assert reply.status_code == 415


@pytest.mark.parametrize("body", [b"a=%ff", b"\xff\xfe", b"&".join(b"a=1" for _ in range(300))])
def test_bodies_that_are_no_forms(store: LabelStore, body: bytes):
    client = signed_in(store, "pairs", "Ann")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/p/pairs/votes", content=body, headers=headers).status_code == 422


def test_a_body_that_is_too_large_is_not_read(store: LabelStore):
    client = signed_in(store, "pairs", "Ann")
    form = {**fields(client, "pairs"), "choice": "1", "rationale": "x" * 300_000}
    reply = client.post("/p/pairs/votes", data=form)
    assert reply.status_code == 413
    assert reply.headers["content-security-policy"].startswith("default-src 'none'")
    assert store.votes("pairs") == []


def test_a_session_that_ended_is_told_and_its_vote_can_be_sent_in_the_next(store: LabelStore):
    """What the page's script does with a vote that it kept: the same fields, the new session's token."""
    token = link(store, "pairs", "Ann")
    client = browser(store)
    client.post(f"/a/{token}")
    form = {**fields(client, "pairs"), "choice": "1"}
    client.cookies.clear()
    assert client.post("/p/pairs/votes", data=form, headers=JSON).status_code == 401
    client.post(f"/a/{token}")
    csrf = hidden(client.get("/p/pairs", headers=HTML).text)["csrf"]
    assert client.post("/p/pairs/votes", data={**form, "csrf": csrf}, headers=JSON).status_code == 200
    assert [each.id for each in store.votes("pairs")] == [form["id"]]
