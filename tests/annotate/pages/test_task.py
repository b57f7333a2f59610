from __future__ import annotations

import dataclasses

from tests.annotate.pages.labelling import JSON, PROJECTS, add_project, fields, make_task, signed_in, vote

from rewardsmith.annotate.answers import PairAnswer
from rewardsmith.annotate.store import LabelStore


def test_the_page_shows_the_task_and_how_far_the_rater_is(store: LabelStore):
    client = signed_in(store, "pairs", "Ann")
    page = client.get("/p/pairs").text
    for piece in ("Question t0?", "Answer A to t0.", "Answer B to t0.", "<b>0</b> done, 2 to go", "Helpful answers"):
        assert piece in page
    vote(client, "pairs", choice="1")
    assert "<b>1</b> done, 1 to go" in client.get("/p/pairs").text


def test_a_task_stays_until_it_is_voted_on(store: LabelStore):
    client = signed_in(store, "pairs", "Ann")
    first, again = fields(client, "pairs"), fields(client, "pairs")
    assert (first["task"], first["offer"]) == (again["task"], again["offer"])
    assert first["id"] != again["id"]


def test_neither_page_nor_json_tells_what_would_give_the_answer_away(store: LabelStore):
    project = PROJECTS["pairs"].model_copy(update={"name": "tests", "gold_share": 0.9, "seed": 1})
    store.create_project(project)
    secret = "not-for-raters"
    task = dataclasses.replace(
        make_task("pair", "t"), gold=PairAnswer("first"), source=secret, group=secret, why=secret, meta={"a": secret}
    )
    store.add_tasks("tests", [task])
    for role in ("rater", "adjudicator"):
        client = signed_in(store, "tests", role, role)
        page, told = client.get("/p/tests").text, client.get("/p/tests/next", headers=JSON).json()
        for word in (secret, "gold", "first", "second"):
            assert word not in str(told).replace("first_error", ""), word
        assert secret not in page
        assert "gold" not in page
        assert set(told["task"]) == {"id", "kind", "prompt", "answers", "steps"}
    assert secret in signed_in(store, "tests", "Olga", "owner").get("/p/tests").text


def test_sides_are_in_random_order(store: LabelStore):
    project = PROJECTS["pairs"].model_copy(update={"name": "many", "overlap": 40})
    add_project(store, project, n_tasks=1)
    orders = set()
    for i in range(12):
        page = signed_in(store, "many", f"rater {i}").get("/p/many").text
        orders.add(page.index("Answer A to t0.") < page.index("Answer B to t0."))
    assert orders == {True, False}


def test_guidelines_stand_beside_the_task_open_while_they_are_new(store: LabelStore):
    client = signed_in(store, "pairs", "Ann")
    page = client.get("/p/pairs").text
    assert "Choose the answer that you would <strong>rather</strong> have." in page
    assert 'id="guidelines" open' in page
    vote(client, "pairs", choice="1")
    assert 'id="guidelines" open' not in client.get("/p/pairs").text
    store.change_guidelines("pairs", "Now *otherwise*.")
    # The task that the rater had open was offered under the old ones; the next one is not.
    vote(client, "pairs", choice="1")
    page = client.get("/p/pairs").text
    assert 'id="guidelines" open' in page
    assert "Now <em>otherwise</em>." in page


def test_who_waits_is_told_so_and_sees_new_tasks(store: LabelStore):
    client = signed_in(store, "pairs", "Ann")
    for _ in range(3):
        vote(client, "pairs", choice="tie")
    assert client.get("/p/pairs/next", headers=JSON).json()["task"] is None
    assert "That was all" in client.get("/p/pairs").text
    store.add_tasks("pairs", [make_task("pair", "new")])
    assert client.get("/p/pairs/next", headers=JSON).json()["task"]["id"] == "new"
    assert "Nothing to label yet" in signed_in(store, "pairs", "Bob").get("/p/pairs").text
