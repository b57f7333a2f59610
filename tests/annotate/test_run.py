"""The server as it is run: a process, from its first line to SIGTERM, and after a kill."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tests.annotate.pages.labelling import PROJECTS, add_project, hidden, link

from rewardsmith.annotate.store import open_store


@contextlib.contextmanager
def serving(database: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address of `rewardsmith annotate serve`, and its process."""
    command = [str(Path(sys.executable).with_name("rewardsmith")), "annotate", "serve", "--db", str(database)]
    process = subprocess.Popen(
        [*command, "--port", "0", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        said = ""
        while "}" not in said:
            line = process.stdout.readline()
            assert line, "it ended"
            said += line
        yield json.loads(said)["url"], process
    finally:
        process.kill()
        process.wait()


def test_a_signal_ends_it_in_order(tmp_path: Path):
    with serving(tmp_path / "labels.sqlite") as (url, process):
        assert urllib.request.urlopen(f"{url}/health/ready").status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.mark.slow
def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path):
    database = tmp_path / "labels.sqlite"
    with contextlib.closing(open_store(database)) as store:
        add_project(store, PROJECTS["pairs"])
        token = link(store, "pairs", "Ann")
    with serving(database) as (url, process):
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        page = browser.open(f"{url}/a/{token}", data=b"").read().decode()
        form = {**hidden(page), "choice": "1"}
        assert browser.open(f"{url}/p/pairs/votes", data=urlencode(form).encode()).status == 200
        process.kill()
        process.wait()
    with contextlib.closing(open_store(database)) as store:
        assert [vote.id for vote in store.votes("pairs")] == [form["id"]]
