"""What every reply has, and texts of strangers wherever they are shown."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.annotate.elements import Elements
from tests.annotate.pages.labelling import (
    JSON,
    PROJECTS,
    add_project,
    browser,
    fields,
    link,
    make_task,
    signed_in,
    vote,
)

from rewardsmith.annotate.app import PAGES, POLICY
from rewardsmith.annotate.pages.rendering import static_files, static_url
from rewardsmith.annotate.store import LabelStore, open_store

HOSTILE = "<script>hit()</script><img src=x onerror=hit()>\"'><svg/onload=hit()>[a](javascript:hit())"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LabelStore]:
    with contextlib.closing(open_store(tmp_path / "labels.sqlite")) as opened:
        add_project(opened, PROJECTS["pairs"])
        yield opened


def assert_nothing_runs(html: str) -> None:
    """No script but our files, nothing inline, no link that is a script: what the policy allows, and no more."""
    for tag, attributes in Elements(html).found:
        assert tag not in ("img", "svg", "iframe", "object", "style", "base")
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        if tag == "script":
            assert (attributes["src"] or "").startswith("/static/")
        for name in ("href", "src", "action"):
            assert not (attributes.get(name) or "").strip().lower().startswith("javascript")


def test_hostile_texts_stay_texts_on_every_page(store: LabelStore):
    project = PROJECTS["pairs"].model_copy(
        update={"name": "hostile", "title": HOSTILE, "guidelines": HOSTILE, "overlap": 2}
    )
    store.create_project(project)
    store.add_tasks("hostile", [make_task("pair", HOSTILE, prompt=HOSTILE, texts=(HOSTILE, "b" + HOSTILE))])
    store.set_priorities("hostile", {HOSTILE: (1.0, HOSTILE)})
    owner = signed_in(store, "hostile", HOSTILE, "owner")
    pages = [owner.get("/p/hostile").text]
    vote(owner, "hostile", choice="1", rationale=HOSTILE)
    other = signed_in(store, "hostile", "b" + HOSTILE)
    while not store.disputes("hostile"):
        vote(other, "hostile", choice="1")
        if not store.disputes("hostile"):
            other.post("/p/hostile/undo", data={"csrf": fields(other, "hostile")["csrf"]})
            vote(other, "hostile", choice="2")
    judge = signed_in(store, "hostile", "c" + HOSTILE, "adjudicator")
    pages += [judge.get("/p/hostile/adjudicate").text, owner.get("/p/hostile").text, owner.get("/").text]
    pages += [owner.get("/p/hostile/guidelines").text, owner.get(f"/a/{HOSTILE.replace('/', '')}").text]
    pages.append(
        judge.post("/p/hostile/votes", data={**fields(judge, "hostile", "/adjudicate"), "choice": HOSTILE}).text
    )
    for page in pages:
        assert "hit()" in page
        assert_nothing_runs(page)


@pytest.mark.parametrize("name", ["pairs", "axes", "ranks", "ratings", "steps"])
def test_no_page_has_anything_inline(store: LabelStore, name: str):
    if name != "pairs":
        add_project(store, PROJECTS[name])
    client = signed_in(store, name, "Ann", "owner")
    assert_nothing_runs(client.get(f"/p/{name}").text)


@pytest.mark.parametrize(
    "path", ["/", "/p/pairs", "/p/pairs/next", "/nothing", "/a/x", "/health/live", "/static/x/task.js"]
)
def test_every_reply_is_guarded(store: LabelStore, path: str):
    for client in (browser(store), signed_in(store, "pairs", "Ann")):
        for method in ("GET", "POST", "DELETE"):
            headers = client.request(method, path).headers
            assert headers["content-security-policy"] == POLICY
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "same-origin"
            assert headers["x-frame-options"] == "DENY"
            assert "server" not in headers


def test_the_policy_allows_nothing_inline_and_no_frame():
    said = dict(part.strip().split(" ", 1) for part in POLICY.split(";"))
    assert said["default-src"] == "'none'"
    assert said["script-src"] == said["style-src"] == said["form-action"] == "'self'"
    assert said["frame-ancestors"] == said["base-uri"] == "'none'"
    assert "unsafe" not in POLICY


def test_errors_are_pages_for_browsers_and_the_envelope_for_scripts(store: LabelStore):
    client = browser(store)
    page, told = client.get("/p/pairs"), client.get("/p/pairs", headers=JSON)
    assert (page.status_code, told.status_code) == (401, 401)
    assert "<h1>You are not signed in to this project</h1>" in page.text
    assert told.json()["error"]["type"] == "UnauthorizedError"
    assert client.get("/nothing").text.startswith("<!doctype html>")


def test_a_bug_tells_nothing_of_itself(store: LabelStore, monkeypatch: pytest.MonkeyPatch):
    client = signed_in(store, "pairs", "Ann")
    monkeypatch.setattr(store, "next_task", lambda *_: 1 / 0)
    reply = client.get("/p/pairs")
    assert reply.status_code == 500
    assert "division" not in reply.text
    assert reply.headers["content-security-policy"] == POLICY


def test_static_files_are_kept_for_good_and_nothing_else_is_a_file(store: LabelStore):
    client = browser(store)
    for name in static_files():
        reply = client.get(static_url(name))
        assert reply.status_code == 200
        assert "immutable" in reply.headers["cache-control"]
    assert "immutable" not in client.get("/static/older/task.js").headers["cache-control"]
    version = static_url("task.js").split("/")[2]
    for name in (
        "..%2fapp.py",
        "%2e%2e/%2e%2e/app.py",
        "../templates/base.html.jinja",
        "nothing.js",
        "..\\app.py",
        "%00",
    ):
        assert client.get(f"/static/{version}/{name}").status_code == 404
    with pytest.raises(KeyError):
        static_url("nothing.js")


@pytest.mark.parametrize(
    "name", ["%2e%2e", "%2e%2e%2f", "pairs'--", "pairs%00", "pairs;drop table votes", "PAIRS", "é"]
)
def test_names_of_projects_reach_no_file_and_no_statement(store: LabelStore, name: str):
    client = signed_in(store, "pairs", "Ann")
    assert client.get(f"/p/{name}").status_code in (401, 404)
    assert client.get(f"/p/{name}/next", headers=JSON).status_code in (401, 404)
    assert [project.name for project in store.projects()] == ["pairs"]


def test_sql_in_every_field_is_a_text(store: LabelStore):
    sql = "'; DROP TABLE votes; --"
    client = signed_in(store, "pairs", sql)
    assert vote(client, "pairs", choice="1", rationale=sql, seconds=sql).status_code == 303
    assert vote(client, "pairs", choice="1", task=sql).status_code == 422
    [cast] = store.votes("pairs")
    assert cast.rationale == sql
    assert store.raters("pairs")[0].name == sql


def test_logs_hold_neither_links_nor_texts(store: LabelStore, caplog: pytest.LogCaptureFixture):
    token = link(store, "pairs", "Ann")
    with caplog.at_level(logging.DEBUG, logger="rewardsmith"):
        client = browser(store)
        client.post(f"/a/{token}")
        vote(client, "pairs", choice="1", rationale="a private thought")
    said = " ".join(str(record.__dict__) for record in caplog.records)
    assert "/a/{token}" in said
    for secret in (token, client.cookies["rewardsmith-pairs"], "a private thought", "Ann"):
        assert secret not in said


def test_routes_are_documented():
    page = (Path(__file__).parents[2] / "docs" / "annotate.md").read_text("utf-8")
    paths = {route.path for module in PAGES for route in module.router.routes}  # pyright: ignore
    assert len(paths) > 10
    assert [path for path in sorted(paths) if f"`{path}`" not in page] == []
