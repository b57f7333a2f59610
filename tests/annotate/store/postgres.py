"""A PostgreSQL cluster of the tests' own: in a temporary folder, on this machine's loopback, gone when they end."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg


def programs() -> Path | None:
    """The folder of PostgreSQL's programs, newest version first: Debian keeps them out of the search path."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    folders = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = sorted(folders, key=lambda path: int(path.parts[-3]) if path.parts[-3].isdecimal() else 0)
    return newest[-1].parent if newest else None


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """The URL of a running server. It refuses to run as root: then it is nobody's.

    Safe writes are off, as no test of ours switches the machine off.
    """
    bin_ = programs()
    assert bin_ is not None
    as_user = []
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
        as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    data, log = folder / "data", folder / "log"
    make = [
        *as_user,
        bin_ / "initdb",
        "-D",
        data,
        "-A",
        "trust",
        "-U",
        "postgres",
        "--no-sync",
        "--no-locale",
        "-E",
        "UTF8",
    ]
    subprocess.run(make, check=True, capture_output=True, timeout=120, cwd=folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off -c max_connections=60"
    start = [*as_user, bin_ / "pg_ctl", "-D", data, "-o", options, "-l", log, "-w", "-t", "60", "start"]
    subprocess.run(start, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=90, cwd=folder)
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        stop = [*as_user, bin_ / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"]
        subprocess.run(stop, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, cwd=folder, check=False)


@contextlib.contextmanager
def own_cluster() -> Iterator[str]:
    """`cluster` in a folder that another user may enter, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="rewardsmith-postgres-"))
    try:
        with cluster(folder) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def empty(url: str) -> None:
    """Remove everything that an earlier test made."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
