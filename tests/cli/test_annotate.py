from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from rewardsmith.annotate.store import open_store


@pytest.fixture
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "labels.sqlite"
    monkeypatch.setenv("REWARDSMITH_LABELS", str(path))
    return path


def test_a_project_and_a_link_that_opens_it(cli: Callable, db: Path, tmp_path: Path):
    guidelines = tmp_path / "guidelines.md"
    guidelines.write_text("Choose *well*.", "utf-8")
    made = cli("annotate", "create", "helpful", "--title", "Helpful", "--guidelines", guidelines, "--axis", "truthful",
               "--overlap", 3, "--set", "gold_share=0.1", "--json")  # fmt: skip
    assert made.code == 0, made.err
    said = json.loads(made.out)
    assert (said["kind"], said["axes"], said["overlap"], said["gold_share"]) == ("pair", ["truthful"], 3, 0.1)
    linked = cli("annotate", "link", "helpful", "Ann", "--role", "owner", "--url", "https://label.example/")
    again = cli("annotate", "link", "helpful", "Ann", "--json")
    assert linked.out.startswith("https://label.example/a/")
    with contextlib.closing(open_store(db)) as store:
        assert store.guidelines("helpful") == (1, "Choose *well*.")
        tokens = [linked.out.strip().rpartition("/")[2], json.loads(again.out)["url"].rpartition("/")[2]]
        raters = [store.redeem(token) for token in tokens]
        assert [(rater.name, rater.role) for rater in raters] == [("Ann", "owner")] * 2
        assert raters[0].id == raters[1].id
        session = store.open_session(raters[0].id)
        assert cli("annotate", "link", "helpful", "Ann", "--revoke").code == 0
        assert store.session(session.token) is None


@pytest.mark.usefixtures("db")
def test_scales_of_attributes(cli: Callable):
    made = cli("annotate", "create", "rated", "--kind", "attributes", "--attribute", "depth=-2..2", "--json")
    assert json.loads(made.out)["attributes"] == {"depth": [-2, 2]}


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "Bad Name"), "name"),
        (("create", "a", "--set", "overlpa=2"), "overlap"),
        (("create", "a", "--kind", "attributes", "--attribute", "depth"), "NAME=LOW..HIGH"),
        (("create", "a", "--kind", "attributes"), "attributes"),
        (("create", "known"), "known"),
        (("create", "a", "--guidelines", "nowhere.md"), "nowhere.md"),
        (("link", "nothing", "Ann"), "nothing"),
        (("link", "known", "Ann", "--role", "owner"), "another role"),
        (("link", "known", "Nobody", "--revoke"), "no such rater"),
        (("serve", "--public-url", "https://a.example/path"), "public_url"),
        (("serve", "--set", "prot=1"), "port"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(cli: Callable, arguments: tuple[str, ...], said: str):
    cli("annotate", "create", "known")
    cli("annotate", "link", "known", "Ann")
    outcome = cli("annotate", *arguments)
    assert outcome.code in (2, 3)
    assert said in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.usefixtures("db")
def test_a_port_that_is_taken(cli: Callable):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        outcome = cli("annotate", "serve", "--port", taken.getsockname()[1])
    assert outcome.code == 2
    assert "cannot listen" in outcome.err
