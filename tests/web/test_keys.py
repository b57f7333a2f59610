from __future__ import annotations

import hashlib
import json
import stat

import pytest
from fastapi.testclient import TestClient
from tests.web.conftest import small_app

from rewardsmith.core.errors import SettingsError
from rewardsmith.web.guards import Guards
from rewardsmith.web.keys import ApiKey, KeyRing, is_local, key_digest, make_key, require_keys
from rewardsmith.web.store import KeysFile, add_key, load_keys

CLIENT, ADMIN = "rs_client", "rs_admin"
BODY = {"texts": ["a"]}


def key(name, secret, **more):
    return ApiKey(name=name, sha256=key_digest(secret), **more)


@pytest.fixture
def client():
    ring = KeyRing([key("ann", CLIENT), key("root", ADMIN, role="admin")])
    return TestClient(small_app(Guards(keys=lambda: ring)))


def test_the_digest_is_a_sha256():
    assert key_digest("rs_client") == hashlib.sha256(b"rs_client").hexdigest()


def test_a_new_key_is_long_and_new():
    (one, digest), (other, _) = make_key(), make_key()
    assert one != other
    assert len(one) >= 43 + len("rs_")
    assert digest == key_digest(one)


@pytest.mark.parametrize(
    "headers",
    [{"authorization": f"Bearer {CLIENT}"}, {"authorization": f"bearer  {CLIENT} "}, {"x-api-key": CLIENT}],
)
def test_a_known_key_may_ask(client, headers):
    assert client.post("/echo/m", json=BODY, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Basic {CLIENT}"},
        {"authorization": "Bearer"},
        {"x-api-key": ""},
        {"x-api-key": key_digest(CLIENT)},
        {"x-api-key": CLIENT[:-1]},
        {"authorization": "Bearer wrong", "x-api-key": CLIENT},
        {"x-api-key": "\xff".encode("latin-1")},
    ],
)
def test_anything_else_gets_401_and_nothing_is_read(client, headers):
    """Not JSON: had the body been looked at, the error would be another."""
    reply = client.post("/echo/m", content=b"{", headers=headers)
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"] == "Bearer"
    assert reply.json()["error"]["type"] == "UnauthorizedError"


def test_health_needs_no_key(client):
    assert client.get("/health").status_code == 200


def test_an_unknown_path_is_not_told_apart_without_a_key(client):
    assert client.get("/nowhere").status_code == 401


def test_only_an_admin_changes_the_server(client):
    assert client.post("/admin", headers={"x-api-key": ADMIN}).status_code == 200
    reply = client.post("/admin", headers={"x-api-key": CLIENT})
    assert reply.status_code == 403
    assert reply.json()["error"]["got"] == "ann: client"


@pytest.mark.parametrize(("address", "status"), [("127.0.0.1", 200), ("::1", 200), ("10.0.0.7", 403), ("evil", 403)])
def test_without_keys_the_server_is_changed_from_this_machine_only(address, status):
    client = TestClient(small_app(Guards()), client=(address, 1))
    assert client.post("/admin", headers={"host": "127.0.0.1:8000"}).status_code == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8000", 200),
        ("localhost", 200),
        ("[::1]:8000", 200),
        ("evil.example:8000", 403),
        ("10.0.0.7", 403),
        ("[::1", 403),
    ],
)
def test_nor_under_a_name_that_is_not_this_machine_s(host, status):
    """A page of evil.example, whose name now points to 127.0.0.1, asks from this machine too."""
    client = TestClient(small_app(Guards()), client=("127.0.0.1", 1))
    assert client.post("/admin", headers={"host": host}).status_code == status


def test_every_key_is_compared_whichever_fits(monkeypatch):
    """The time must not tell the place of the key in the file."""
    import hmac

    compared = []
    compare = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append(a) or compare(a, b))
    ring = KeyRing([key("a", "1"), key("b", "2"), key("c", "3")])
    for presented, name in (("1", "a"), ("3", "c"), ("4", None)):
        compared.clear()
        found = ring.find(presented)
        assert (found and found.name) == name
        assert len(compared) == 3


@pytest.mark.parametrize("other", [("ann", "2"), ("bob", "1")])
def test_two_keys_of_one_name_or_digest_are_refused(other):
    with pytest.raises(SettingsError, match="two keys"):
        KeyRing([key("ann", "1"), key(*other)])


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        (None, True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.1", False),
        ("example.org", False),
    ],
)
def test_loopback(host, local):
    assert is_local(host) is local


def test_others_need_keys_unless_it_is_said_aloud():
    require_keys("127.0.0.1", has_keys=False, no_keys=False)
    require_keys("0.0.0.0", has_keys=True, no_keys=False)
    require_keys("0.0.0.0", has_keys=False, no_keys=True)
    with pytest.raises(SettingsError, match="--no-keys"):
        require_keys("0.0.0.0", has_keys=False, no_keys=False)


def test_a_key_is_made_written_as_a_digest_and_found_again(tmp_path):
    path = tmp_path / "keys.yaml"
    first, second = add_key(path, "ann"), add_key(path, "root", role="admin")
    ring = load_keys(path)
    assert [(each.name, each.role) for each in ring.keys] == [("ann", "client"), ("root", "admin")]
    assert ring.find(first) == ring.keys[0]
    assert ring.find(second) == ring.keys[1]
    assert first not in path.read_text()
    # Another user, that of a container, may read it; nobody else may write.
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_name_that_is_there_is_not_replaced(tmp_path):
    path = tmp_path / "keys.yaml"
    add_key(path, "ann")
    before = path.read_bytes()
    with pytest.raises(SettingsError):
        add_key(path, "ann")
    with pytest.raises(SettingsError, match="name"):
        add_key(path, "two words")
    with pytest.raises(SettingsError, match="role"):
        add_key(path, "bob", role="owner")
    assert path.read_bytes() == before


def test_json_is_read_too(tmp_path):
    path = tmp_path / "keys.json"
    entry = {"name": "ann", "sha256": key_digest("1"), "requests_per_s": 5, "max_texts": 3}
    for values in ({"keys": [entry]}, [entry]):
        path.write_text(json.dumps(values))
        assert load_keys(path).keys == (key("ann", "1", requests_per_s=5.0, max_texts=3),)


@pytest.mark.parametrize("text", ["", "keys: 3", "{", "keys:\n- name: a\n  sha256: short", "keys:\n- nmae: a"])
def test_a_wrong_file_is_refused(tmp_path, text):
    (tmp_path / "keys.yaml").write_text(text)
    with pytest.raises(SettingsError):
        load_keys(tmp_path / "keys.yaml")
    with pytest.raises(SettingsError, match="serve-key"):
        load_keys(tmp_path / "absent.yaml")


def test_a_key_that_is_taken_out_is_refused_within_a_second(tmp_path):
    path, now = tmp_path / "keys.yaml", [0.0]
    secret = add_key(path, "ann")
    keys = KeysFile(path, clock=lambda: now[0])
    assert keys().find(secret)
    add_key(path, "bob")
    text = path.read_text()
    path.write_text("keys: []\n")
    assert keys().find(secret)  # Not looked at again so soon.
    now[0] = 1.0
    assert not keys().find(secret)
    path.write_text("not: [keys")
    now[0] = 2.0
    assert len(keys()) == 0  # A wrong file changes nothing.
    path.write_text(text)
    now[0] = 3.0
    assert len(keys()) == 2
    path.unlink()
    now[0] = 4.0
    assert keys().find(secret)
