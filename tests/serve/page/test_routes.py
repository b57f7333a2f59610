from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from tests.serve.serving import UNGATED, InProcessModels, Serving, serving

from rewardsmith.web.store import add_key

STATIC = ("cards.css", "page.css", "page.js", "elements.js", "form.js", "models.js", "results.js", "server.js")


@pytest.fixture(scope="module")
def http(server: Serving):
    with httpx2.Client(base_url=server.url, timeout=30) as client:
        yield client


def test_the_page_may_load_nothing_from_elsewhere_and_run_nothing_inline(http: httpx2.Client):
    reply = http.get("/")
    policy = dict(part.split(" ", 1) for part in reply.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"https?://|//[a-z]|<style|style=|\son[a-z]+=", reply.text)


@pytest.mark.parametrize("name", STATIC)
def test_its_files_are_served_as_what_they_are_and_name_no_other_place(http: httpx2.Client, name: str):
    reply = http.get(f"/static/{name}")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/css" if name.endswith(".css") else "text/javascript")
    assert not re.search(r"https?://|innerHTML|insertAdjacent|document\.write|\beval\(", reply.text)


@pytest.mark.parametrize("path", ["/static/routes.py", "/static/..%2froutes.py", "/static/%2e%2e/routes.py"])
def test_nothing_else_is_there(http: httpx2.Client, path: str):
    reply = http.get(path)
    assert reply.status_code == 404
    assert reply.json()["error"]["message"]


def test_a_card_is_shown_as_a_page_or_as_its_verdict(http: httpx2.Client, folders: dict[str, Path]):
    page = http.get("/v1/models/passed/card")
    assert page.text == (folders["passed"].parent / "card/card.html").read_text("utf-8")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy.split("; ")
    assert "script-src" not in policy
    verdict = http.get("/v1/models/failed/card", params={"format": "json"}).json()
    assert (verdict["status"], verdict["policy"]) == ("failed", "research")


@pytest.mark.parametrize(("name", "said"), [("ensemble", "no report card"), ("nobody", "no such model")])
def test_where_there_is_no_card_the_envelope_says_so(http: httpx2.Client, name: str, said: str):
    reply = http.get(f"/v1/models/{name}/card")
    assert reply.status_code == 404
    assert said in reply.json()["error"]["message"]


def test_a_key_is_asked_for_what_the_models_say_and_not_for_the_page(folders: dict[str, Path], tmp_path: Path):
    key = add_key(tmp_path / "keys.yaml", "reader")
    settings = UNGATED.model_copy(update={"keys_file": tmp_path / "keys.yaml"})
    with (
        serving({"passed": folders["passed"]}, settings, kind=InProcessModels) as server,
        httpx2.Client(base_url=server.url, timeout=30) as client,
    ):
        assert {client.get(path).status_code for path in ("/", *(f"/static/{name}" for name in STATIC))} == {200}
        assert client.get("/v1/models/passed/card").status_code == 401
        reply = client.get("/v1/models/passed/card", headers={"Authorization": f"Bearer {key}"})
        assert reply.status_code == 200


def test_the_servers_own_process_loads_no_torch_for_the_page():
    code = "import sys, rewardsmith.serve.page.routes; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0
