"""A PostgreSQL of its own on 127.0.0.1, in a temporary folder, ended with the block."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from serve_process import free_port

_START_S = 60.0
_USER = "nobody"
"""PostgreSQL refuses to run as root."""


@contextlib.contextmanager
def postgres() -> Iterator[str | None]:
    """The URL of an empty database; `None` where PostgreSQL is not installed."""
    programs = _programs()
    if programs is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="labels-postgres-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, _USER)
        data, port = folder / "data", free_port()
        _as_user([programs / "initdb", "-D", data, "-U", "labels", "--auth=trust", "-E", "UTF8", "--locale=C"])
        server = subprocess.Popen(
            _command([programs / "postgres", "-D", data, "-p", port, "-k", folder, "-h", "127.0.0.1"]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _until_ready(programs, port, server)
            yield f"postgresql://labels@127.0.0.1:{port}/postgres"
        finally:
            server.terminate()
            server.wait(_START_S)


def _programs() -> Path | None:
    found = shutil.which("postgres")
    folders = (
        [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    )
    return next((each for each in folders if (each / "initdb").is_file()), None)


def _until_ready(programs: Path, port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    asked = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(asked).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("PostgreSQL did not start")
        time.sleep(0.1)


def _as_user(command: list[object]) -> None:
    subprocess.run(_command(command), check=True, stdout=subprocess.DEVNULL)


def _command(command: list[object]) -> list[str]:
    as_user = ["setpriv", f"--reuid={_USER}", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    return [*as_user, *map(str, command)]
