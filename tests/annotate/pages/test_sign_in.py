"""Links, sessions, fixation, sites that are not ours."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from tests.annotate.pages.labelling import JSON, PROJECTS, add_project, browser, fields, link, signed_in

from rewardsmith.annotate.server_settings import ServerSettings
from rewardsmith.annotate.store import LabelStore

COOKIE = "rewardsmith-pairs"


def test_a_link_is_a_button_and_the_button_opens_the_project(store: LabelStore):
    client, token = browser(store), link(store, "pairs", "Ann")
    page = client.get(f"/a/{token}")
    assert page.status_code == 200
    assert "set-cookie" not in page.headers
    assert client.get("/p/pairs").status_code == 401
    reply = client.post(f"/a/{token}")
    assert (reply.status_code, reply.headers["location"]) == (303, "/p/pairs")
    assert "Answer 1" in client.get("/p/pairs").text


def test_the_cookie_is_for_the_browser_alone(store: LabelStore):
    said = browser(store).post(f"/a/{link(store, 'pairs', 'Ann')}").headers["set-cookie"]
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= {part.strip() for part in said.split(";")}
    assert "Secure" not in said
    assert "Domain" not in said
    assert 0 < int(said.partition("Max-Age=")[2].partition(";")[0]) <= 14 * 86_400


@pytest.mark.parametrize(
    ("base", "settings"),
    [
        ("https://testserver", ServerSettings()),
        ("http://testserver", ServerSettings(public_url="https://label.example")),
    ],
)
def test_over_tls_the_cookie_never_goes_over_a_plain_line(store: LabelStore, base: str, settings: ServerSettings):
    client = browser(store, settings, base_url=base)
    said = client.post(f"/a/{link(store, 'pairs', 'Ann')}").headers["set-cookie"]
    assert said.startswith("__Host-rewardsmith-pairs=")
    assert "Secure" in said


def test_a_link_opens_a_new_session_every_time_and_ends_the_one_before(store: LabelStore):
    client, token = browser(store), link(store, "pairs", "Ann")
    client.post(f"/a/{token}")
    first = client.cookies[COOKIE]
    client.post(f"/a/{token}")
    second = client.cookies[COOKIE]
    assert first != second
    assert store.session(first) is None
    assert store.session(second) is not None


def test_a_session_that_was_planted_before_signing_in_is_worth_nothing_after(store: LabelStore):
    """Fixation: the attacker knows the cookie that the victim's browser has when the victim signs in."""
    attacker = signed_in(store, "pairs", "Eve")
    planted = attacker.cookies[COOKIE]
    victim = browser(store, cookies={COOKIE: planted})
    reply = victim.post(f"/a/{link(store, 'pairs', 'Ann')}")
    given = reply.cookies[COOKIE]
    assert given != planted
    assert store.session(planted) is None
    for made_up in ("x", "a" * 43):
        victim = browser(store, cookies={COOKIE: made_up})
        assert victim.get("/p/pairs").status_code == 401
        assert victim.post(f"/a/{link(store, 'pairs', made_up)}").cookies[COOKIE] != made_up


@pytest.mark.parametrize("token", ["wrong", "a" * 43, "%00", "' OR 1=1 --", "..%2f..%2fetc%2fpasswd"])
def test_a_wrong_link_opens_nothing_and_looks_like_any_other(store: LabelStore, token: str):
    client = browser(store)
    if "/" not in token and "%2f" not in token:
        assert client.get(f"/a/{token}").status_code == 200
        assert client.post(f"/a/{token}").status_code == 401
    assert not client.cookies
    assert client.get("/p/pairs").status_code == 401


def test_a_revoked_or_old_link_opens_nothing(store: LabelStore):
    rater = store.add_rater("pairs", "Ann")
    old = store.make_link("pairs", rater.id, days=1, now=0.0)
    revoked = store.make_link("pairs", rater.id)
    client = browser(store)
    client.post(f"/a/{revoked}")
    store.revoke_links("pairs", rater.id)
    assert client.get("/p/pairs").status_code == 401
    for token in (old, revoked):
        assert client.post(f"/a/{token}").status_code == 401


def test_links_are_rated_by_address(store: LabelStore):
    client = browser(store, ServerSettings(links_burst=3, links_per_s=0.001))
    good = link(store, "pairs", "Ann")
    assert [client.post("/a/wrong").status_code for _ in range(4)] == [401, 401, 401, 429]
    reply = client.post(f"/a/{good}")
    assert reply.status_code == 429
    assert int(reply.headers["retry-after"]) > 1
    assert browser(store).post(f"/a/{good}").status_code == 303


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://testserver"}, 303),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://behind.a.proxy"}, 303),
        ({}, 303),
    ],
)
def test_no_other_site_signs_a_browser_in(store: LabelStore, headers: dict[str, str], status: int):
    assert browser(store).post(f"/a/{link(store, 'pairs', 'Ann')}", headers=headers).status_code == status


def test_projects_do_not_share_sessions_and_one_browser_may_have_several(store: LabelStore):
    add_project(store, PROJECTS["ranks"])
    client = signed_in(store, "pairs", "Ann")
    assert client.get("/p/ranks").status_code == 401
    stolen = browser(store, cookies={"rewardsmith-ranks": client.cookies[COOKIE]})
    assert stolen.get("/p/ranks").status_code == 401
    client.post(f"/a/{link(store, 'ranks', 'Ann')}")
    assert client.get("/p/ranks").status_code == client.get("/p/pairs").status_code == 200
    home = client.get("/").text
    assert 'href="/p/pairs"' in home
    assert 'href="/p/ranks"' in home


def test_signing_out_ends_the_session_in_the_store_too(store: LabelStore):
    client = signed_in(store, "pairs", "Ann")
    token = client.cookies[COOKIE]
    assert client.post("/p/pairs/sign-out", data={"csrf": "x"}).status_code == 403
    reply = client.post("/p/pairs/sign-out", data={"csrf": fields(client, "pairs")["csrf"]})
    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    assert COOKIE not in client.cookies
    assert store.session(token) is None
    assert "not signed in" in client.get("/").text


def test_a_project_that_does_not_exist_looks_like_one_of_others(store: LabelStore):
    add_project(store, PROJECTS["ranks"])
    client = signed_in(store, "pairs", "Ann")

    def told(client: TestClient, project: str) -> dict[str, str]:
        error = client.get(f"/p/{project}/next", headers=JSON).json()["error"]
        return {name: value for name, value in error.items() if name != "request_id"}

    assert told(client, "ranks") == told(client, "nothing")
