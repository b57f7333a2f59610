"""The page of the server lists every route, and its commands run."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from tests.serve.serving import InProcessModels, Serving, serving

PAGE = (Path(__file__).parents[3] / "docs" / "serve.md").read_text("utf-8")
COMMANDS = [
    command
    for block in re.findall(r"^```bash\n(.*?)^```", PAGE, re.M | re.S)
    for command in re.findall(r"^curl .*?(?=^curl |\Z)", block, re.M | re.S)
]


@pytest.fixture(scope="module")
def server(folders: dict[str, Path]) -> Iterator[Serving]:
    """The model of the page."""
    with serving({"helpful": folders["decoder"]}, kind=InProcessModels) as running:
        yield running


def test_every_route_is_in_the_table_and_the_other_way_round(server: Serving) -> None:
    document = httpx2.get(f"{server.url}/openapi.json").json()
    served = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    table = PAGE.partition("## Routes")[2].partition("###")[0]
    assert set(re.findall(r"`((?:GET|POST|PUT|DELETE) [^`]+)`", table)) == served


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[2].partition("8000")[2])
def test_the_commands_run(command: str, server: Serving) -> None:
    words = shlex.split(command.replace("http://127.0.0.1:8000", server.url))
    ran = subprocess.run([*words, "--fail-with-body", "--max-time", "30"], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout
    if not words[2].endswith("/metrics"):
        assert "error" not in json.loads(ran.stdout)


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 14
