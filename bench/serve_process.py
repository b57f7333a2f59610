"""Servers under test: each in a process of its own, at a free port, ended with all that it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import measure
import psutil
from serve_http import Connection, Reply

START_S = 300.0
"""How long a server may take until it is ready."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs.

    Attributes:
        port: Where it listens.
        process: Its first process.
        log: What it printed.
        start_s: Seconds until it was ready.
    """

    port: int
    process: subprocess.Popen[bytes]
    log: Path
    start_s: float

    def ask(self, method: str, path: str, body: bytes | None = None) -> Reply:
        """The reply to one request."""
        return asyncio.run(_asked(self.port, method, path, body))

    def workers(self) -> list[psutil.Process]:
        """Processes that it started and that hold a model: the largest first."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return sorted((each for each in children if _megabytes(each) > 100), key=_megabytes, reverse=True)

    def cpu_s(self) -> float:
        """Processor time of all its processes so far."""
        parent = psutil.Process(self.process.pid)
        times = [each.cpu_times() for each in (parent, *parent.children(recursive=True))]
        return sum(each.user + each.system for each in times)

    def megabytes(self) -> tuple[float, float]:
        """Memory of its first process, and of all others together, in MiB."""
        parent = psutil.Process(self.process.pid)
        return _megabytes(parent), sum(map(_megabytes, parent.children(recursive=True)))


def ours(
    models: Mapping[str, Path] | Path,
    *options: str,
    precision: str = "auto",
    most_file_kb: int | None = None,
) -> contextlib.AbstractContextManager[Server]:
    """`rewardsmith serve` of one model, or of several by name; ungated, since a new head has no verdict.

    Args:
        options: Of the command.
        precision: Of the network.
        most_file_kb: Longest file that it may write, in KiB.
    """
    named = [str(models)] if isinstance(models, Path) else [f"{name}={path}" for name, path in models.items()]
    command = [str(Path(sys.executable).with_name("rewardsmith")), "serve", *named, "--allow-ungated"]
    limited = [] if most_file_kb is None else ["bash", "-c", f'ulimit -f {most_file_kb}; exec "$@"', "limited"]
    return running([*limited, *command, "--precision", precision, *options], ready="/health/ready")


def naive(model: Path, *, dtype: str = "float32") -> contextlib.AbstractContextManager[Server]:
    """The hand-written server; see `naive_server`."""
    command = [sys.executable, "-m", "uvicorn", "naive_server:app", "--app-dir", str(measure.ROOT / "bench")]
    environment = {"REWARD_MODEL": str(model), "REWARD_DTYPE": dtype}
    return running([*command, "--log-level", "warning"], ready="/health", environment=environment)


@contextlib.contextmanager
def running(command: Sequence[str], *, ready: str, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server that `command` and `--port` start, from when `GET ready` gives 200; ended at the end.

    Raises:
        SystemExit: It ended, or was not ready in time. What it printed is shown.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "log"
        began = time.perf_counter()
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [*command, "--port", str(port)],
                env={**os.environ, "HF_HUB_OFFLINE": "1", **(environment or {})},
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            asyncio.run(_until_ready(process, port, ready, log=log))
            yield Server(port, process, log, time.perf_counter() - began)
        finally:
            end(process)


def end(process: subprocess.Popen[bytes], *, patience_s: float = 20.0) -> int:
    """End a server that `running` started, and what it left behind; its exit code."""
    started = _descendants(process.pid)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    for each in (psutil.Process(process.pid), *started) if process.poll() is None else started:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
    return process.wait()


def free_port() -> int:
    """A port at which nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


async def _until_ready(process: subprocess.Popen[bytes], port: int, path: str, *, log: Path) -> None:
    connection, deadline = Connection(port), time.perf_counter() + START_S
    while time.perf_counter() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, EOFError, ValueError):
            if (await connection.request("GET", path)).status == 200:
                connection.close()
                return
        await asyncio.sleep(0.1)
    sys.stderr.write(log.read_text("utf-8", "replace")[-4000:])
    raise SystemExit(f"the server was not ready within {START_S:g} s, or ended: {process.args}")


async def _asked(port: int, method: str, path: str, body: bytes | None) -> Reply:
    connection = Connection(port)
    try:
        async with asyncio.timeout(START_S):
            return await connection.request(method, path, body)
    finally:
        connection.close()


def _megabytes(process: psutil.Process) -> float:
    """Memory that is its own (shared pages of libraries count once, for whoever has them to itself)."""
    try:
        return process.memory_info().rss / 2**20
    except psutil.NoSuchProcess:
        return 0.0
