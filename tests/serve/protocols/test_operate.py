"""Health, models, and who may change them."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import httpx2
import pytest
from tests.serve.families import CONVERSATIONS
from tests.serve.protocols.routes import post
from tests.serve.protocols.test_bad_requests import refused
from tests.serve.serving import UNGATED, InProcessModels, Serving, serving

from rewardsmith.core.conversation import to_dicts
from rewardsmith.core.errors import ForbiddenError, ModelError
from rewardsmith.serve.protocols.operate import find_model
from rewardsmith.serve.work import Answer, Ask
from rewardsmith.web.store import add_key


def test_health(http: httpx2.Client) -> None:
    assert http.get("/health").json() == {"status": "live"}
    assert http.get("/health/live").json() == {"status": "live"}
    assert http.get("/health/ready").json() == {"status": "ready"}


def test_a_server_without_a_model_lives_and_is_not_ready() -> None:
    with serving({}, kind=InProcessModels) as server, httpx2.Client(base_url=server.url) as client:
        assert client.get("/health").status_code == 200
        assert "no model" in refused(client.get("/health/ready"), 503)["message"]
        assert client.get("/v1/models").json() == {"object": "list", "data": []}
        refused(client.post("/classify", json={"input": "a"}), 404)


def test_models(http: httpx2.Client, folders: dict[str, Path]) -> None:
    models = http.get("/v1/models").json()["data"]

    assert [model["id"] for model in models] == list(folders)
    one = http.get("/v1/models/process").json()
    assert one in models
    assert one["family"] == "process"
    assert one["can"] == ["steps"]
    assert one["gate"] == {"status": "ungated", "policy": None}
    assert one["temperature"] is None
    assert http.get("/v1/models/decoder").json()["temperature"] == 2.0
    assert http.get("/v1/models/decoder").json()["max_tokens"] == 200
    # Where things lie on the server's disk is nobody's business.
    assert str(folders["process"].parent) not in json.dumps(models)
    refused(http.get("/v1/models/nobody"), 404)


def test_metrics_count_what_was_asked(http: httpx2.Client) -> None:
    def texts() -> float:
        lines = http.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith('rewardsmith_texts_total{model="ada'))

    before = texts()
    post(http, "/classify", {"model": "adapters", "input": ["a", "b", "c"]})

    assert texts() == before + 3
    assert http.get("/metrics").headers["content-type"].startswith("text/plain")


def test_load_swap_and_unload(admin: httpx2.Client, folders: dict[str, Path]) -> None:
    conversations = {"conversations": [to_dicts(each) for each in CONVERSATIONS]}
    path = "/v1/models/other"
    assert admin.put(path, json={"path": "encoder"}).json()["state"] == "ready"
    first = post(admin, "/v1/rewards", {"model": "other", **conversations})

    swapped = admin.put(path, json={"path": str(folders["merged"])}).json()
    second = post(admin, "/v1/rewards", {"model": "other", **conversations})

    assert swapped["family"] == "merged"
    assert first["provenance"] != second["provenance"]
    assert second["family"] == "merged"
    failed = refused(admin.put(path, json={"path": "encoder/nothing"}), 422)
    assert failed["where"] == "path"
    (folders["encoder"].parent / "no-model").mkdir(exist_ok=True)
    refused(admin.put(path, json={"path": "no-model"}), 422)
    assert post(admin, "/v1/rewards", {"model": "other", **conversations}) == second
    assert admin.delete(path).json() == {"id": "other", "object": "model", "deleted": True}
    refused(admin.post("/v1/rewards", json={"model": "other", **conversations}), 404)
    refused(admin.delete(path), 404)


@pytest.mark.parametrize("path", ["/etc", "../..", "..", "a/../../..", "x\x00y", "x" * 5000, "link", ""])
def test_models_come_from_the_roots_only(path: str, admin: httpx2.Client, folders: dict[str, Path]) -> None:
    link = folders["decoder"].parent / "link"
    if not link.is_symlink():
        link.symlink_to("/etc")
    refused(admin.put("/v1/models/x", json={"path": path}), 403, 422)
    refused(admin.get("/v1/models/x"), 404)


def test_without_roots_nothing_is_loaded(http: httpx2.Client, folders: dict[str, Path]) -> None:
    refused(http.put("/v1/models/x", json={"path": str(folders["decoder"])}), 403)


def test_find_model(tmp_path: Path) -> None:
    (tmp_path / "root" / "inside").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "root" / "circle").symlink_to(tmp_path / "root" / "circle")
    (tmp_path / "second").symlink_to(tmp_path / "root")
    root = [tmp_path / "root"]

    assert find_model("inside", root) == tmp_path / "root" / "inside"
    assert find_model(str(tmp_path / "root" / "inside"), root) == tmp_path / "root" / "inside"
    assert find_model("inside", [tmp_path / "outside", tmp_path / "second"]) == tmp_path / "root" / "inside"
    for path in ("link", "../outside", str(tmp_path / "outside"), str(tmp_path / "root-like")):
        with pytest.raises(ForbiddenError):
            find_model(path, root)
    for path in ("nothing", "circle"):
        with pytest.raises((ForbiddenError, ModelError)):
            find_model(path, root)
    with pytest.raises(ForbiddenError):
        find_model("inside", [])


@pytest.mark.parametrize("name", ["a b", "-a", "ä", "a%00", "x" * 65, "..", "a%2Fb"])
def test_names_of_models(name: str, admin: httpx2.Client) -> None:
    refused(admin.put(f"/v1/models/{name}", json={"path": "encoder"}))


def test_with_keys_a_client_asks_and_an_admin_changes(folders: dict[str, Path], tmp_path: Path) -> None:
    keys = tmp_path / "keys.yaml"
    client_key, admin_key = add_key(keys, "trainer"), add_key(keys, "operator", role="admin")
    settings = UNGATED.model_copy(update={"keys_file": keys, "max_texts": 2})
    with (
        serving({"decoder": folders["decoder"]}, settings, kind=InProcessModels) as server,
        httpx2.Client(base_url=server.url) as http,
    ):

        def headers(key: str) -> dict[str, str]:
            return {"Authorization": f"Bearer {key}"}

        assert http.get("/health/ready").status_code == 200
        for path in ("/v1/models", "/metrics"):
            refused(http.get(path), 401)
            assert http.get(path, headers=headers(client_key)).status_code == 200
        refused(http.post("/classify", json={"input": "a"}), 401)
        refused(http.post("/classify", json={"input": "a"}, headers=headers(client_key + "x")), 401)
        assert http.post("/classify", json={"input": "a"}, headers=headers(client_key)).status_code == 200
        assert http.post("/classify", json={"input": "a"}, headers={"X-API-Key": client_key}).status_code == 200
        refused(http.post("/classify", json={"input": ["a"] * 3}, headers=headers(client_key)), 413)
        refused(http.delete("/v1/models/decoder"), 401)
        refused(http.delete("/v1/models/decoder", headers=headers(client_key)), 403)
        assert http.delete("/v1/models/decoder", headers=headers(admin_key)).status_code == 200


class SlowModels(InProcessModels):
    """Answers after a minute, unless it is cancelled."""

    cancelled = 0

    async def score(self, model: str | None, ask: Ask) -> Answer:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return await super().score(model, ask)


def test_a_client_that_goes_away_takes_its_request_with_it(folders: dict[str, Path]) -> None:
    with serving({"decoder": folders["decoder"]}, kind=SlowModels) as server:
        with pytest.raises(httpx2.TimeoutException):
            httpx2.post(f"{server.url}/classify", json={"input": "a"}, timeout=0.3)

        give_up = time.monotonic() + 10
        while not server.models.cancelled and time.monotonic() < give_up:
            time.sleep(0.02)
        assert server.models.cancelled == 1
        lines = httpx2.get(f"{server.url}/metrics").text.splitlines()
        assert 'rewardsmith_requests_total{route="/classify",status="499"} 1.0' in lines


def test_the_page_is_there(every_family: Serving) -> None:
    assert "text/html" in httpx2.get(every_family.url + "/").headers["content-type"]
