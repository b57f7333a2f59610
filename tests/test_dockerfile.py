"""The image, read: what it copies is there, what it runs is understood, and it runs without root."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import typer.main

from rewardsmith.cli.main import app

ROOT = Path(__file__).parents[1]


def instructions() -> list[tuple[str, str]]:
    """Name and arguments of each instruction, in order."""
    text = re.sub(r"(?m)^\s*#.*\n", "", (ROOT / "Dockerfile").read_text())
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [(name, rest) for name, _, rest in (line.strip().partition(" ") for line in lines if line.strip())]


def value_of(name: str) -> str:
    """The last instruction of that name."""
    return [rest for each, rest in instructions() if each == name][-1]


def test_the_last_stage_runs_without_root() -> None:
    last = instructions()[max(place for place, (name, _) in enumerate(instructions()) if name == "FROM") :]
    names = [name for name, _ in last]
    assert value_of("USER") == "10001"
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert all(
        name in ("WORKDIR", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD") for name in names[names.index("USER") + 1 :]
    )


def test_what_is_copied_is_there_and_nothing_else_is_sent() -> None:
    copied = [
        source
        for name, rest in instructions()
        if name == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]
    assert all((ROOT / source).exists() for source in copied)
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert ignored[0] == "*"
    assert sorted(line[1:] for line in ignored if line.startswith("!")) == sorted(copied)


def test_the_command_is_understood() -> None:
    command = [*json.loads(value_of("ENTRYPOINT")), *json.loads(value_of("CMD"))]
    assert command[:2] == ["rewardsmith", "serve"]
    serve = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    parsed = serve.make_context("serve", command[2:]).params
    assert (parsed["host"], parsed["port"]) == ("0.0.0.0", int(value_of("EXPOSE")))
    assert parsed["keys"] == Path("/keys.json")


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_tells_a_live_server(status: int, code: int) -> None:
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    _, _, check = value_of("HEALTHCHECK").partition("CMD ")
    program, *arguments = json.loads(check)
    assert program == "python"
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        arguments = [each.replace(":8000", f":{server.server_port}") for each in arguments]
        done = subprocess.run([sys.executable, *arguments], stderr=subprocess.DEVNULL, timeout=30)
    assert (done.returncode, asked) == (code, ["/health/live"])
