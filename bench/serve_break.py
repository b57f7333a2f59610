"""The faults: each starts a server, breaks something while requests come, and tells what became of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from serve_fate import Case, Fate, fate_of, under_load
from serve_http import message
from serve_load import put_under
from serve_process import Server, end, ours
from untrained import ENCODER, save_untrained

from rewardsmith.core.conversation import Conversation, from_dicts
from rewardsmith.scoring.load import load_scorer

LOAD = 300
"""Requests of the load beside most faults."""

NAME = "model"
GONE, SLOW = 40, 8
CAPACITY = 128
CACHED = ("--set", "cache_entries=0")


def client_gone(case: Case) -> Fate:
    """Clients that send a request and close the connection."""
    with _served(case) as server, under_load(case.plan(server, count=LOAD)) as wait:
        asyncio.run(_send_and_leave(server, case))
        load = wait()
        waits = _waiting(server)
        outcome = f"{GONE} clients left without their replies; afterwards {waits} requests wait, and it is ready"
        return fate_of(load, case, server, outcome=outcome)


def slow_client(case: Case) -> Fate:
    """Clients that send a byte of their request now and then."""
    with _served(case, "--set", "body_timeout_s=3") as server, under_load(case.plan(server, count=LOAD)) as wait:
        statuses = asyncio.run(_send_slowly(server, case))
        outcome = f"{SLOW} clients whose bodies did not arrive got {sorted(set(statuses))}"
        return fate_of(wait(), case, server, outcome=outcome)


def overload(case: Case) -> Fate:
    """Ten times as many requests a second as it can do."""
    with _served(case, "--set", "max_queue_requests=256") as server:
        capacity = put_under(case.plan(server, count=CAPACITY, clients=32)).per_s
        seconds = 10.0
        load = put_under(case.plan(server, count=int(10 * capacity * seconds), per_s=10 * capacity))
        later = put_under(case.plan(server, count=CAPACITY, clients=32)).per_s
        told = [each for each in load.replies if each.status == 429]
        outcome = (
            f"{10 * capacity:.0f} requests a second for {seconds:.0f} s, {len(told)} of them got 429; before "
            f"{capacity:.0f} a second, afterwards {later:.0f}"
        )
        return fate_of(load, case, server, outcome=outcome)


def worker_killed(case: Case, *, times: int = 3) -> Fate:
    """`kill -9` of the process that holds the model, again and again, while it works."""
    with _served(case) as server, under_load(case.plan(server, count=3 * LOAD)) as wait:
        killed: list[int] = []
        for _ in range(times):
            _until(lambda: server.ask("GET", "/health/ready").status == 200)
            time.sleep(0.5)
            killed.append(server.workers()[0].pid)
            os.kill(killed[-1], signal.SIGKILL)
            time.sleep(0.5)
        load = wait()
        outcome = f"killed {len(set(killed))} times, started again each time"
        return fate_of(load, case, server, outcome=outcome)


def disk_full(case: Case) -> Fate:
    """The folders of the cache and of the traffic log are on a disk that is full."""
    with _full_folder(case.folder) as (folder, kind), _on_full_disk(case, folder) as server:
        load = put_under(case.plan(server, count=LOAD))
        return fate_of(load, case, server, outcome=f"cache and traffic log on {kind}; it goes on without them")


def model_corrupt(case: Case) -> Fate:
    """A damaged model is to take the place of the one in use; and one is to be served from the start."""
    broken = case.folder / "broken"
    shutil.copytree(case.model, broken, dirs_exist_ok=True)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    with _served(case, "--models-from", str(case.folder)) as server, under_load(case.plan(server, count=LOAD)) as wait:
        reply = server.ask("PUT", f"/v1/models/{NAME}", json.dumps({"path": str(broken)}).encode())
        load = wait()
        code = _exit_code(broken)
        outcome = f"loading it gave {reply.status}, and the old model went on; a server of it alone ended with {code}"
        return fate_of(load, case, server, outcome=outcome)


def swap_under_load(case: Case) -> Fate:
    """Another model takes the place of the one in use."""
    other = case.folder / "other"
    if not other.is_dir():
        save_untrained(ENCODER, other, seed=1)
    conversations = [_conversation(body) for _, body in case.requests]
    rewards = load_scorer(other, device="cpu").score(conversations).rewards.tolist()
    with (
        _served(case, "--models-from", str(case.folder)) as server,
        under_load(case.plan(server, count=3 * LOAD)) as wait,
    ):
        reply = server.ask("PUT", f"/v1/models/{NAME}", json.dumps({"path": str(other)}).encode())
        load = wait()
        last = json.loads(server.ask("POST", "/classify", case.requests[0][1].encode()).body)["data"][0]["probs"][0]
        is_new = abs(last - rewards[0]) < 1e-5
        outcome = f"the swap gave {reply.status}; afterwards the {'new' if is_new else 'OLD'} model answers"
        return fate_of(load, case, server, outcome=outcome, others=[rewards])


def sigterm_under_load(case: Case) -> Fate:
    """SIGTERM while requests come."""
    with _served(case) as server, under_load(case.plan(server, count=20 * LOAD, per_s=60.0)) as wait:
        code = end(server.process, patience_s=60)
        load = wait()
        outcome = f"it ended with {code}"
        return fate_of(load, case, server, outcome=outcome, is_ending=True)


# ---- what they need ----


def _served(case: Case, *options: str) -> contextlib.AbstractContextManager[Server]:
    return ours({NAME: case.model}, *CACHED, *options, precision="float32")


async def _send_and_leave(server: Server, case: Case) -> None:
    async def one(path: str, body: str) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(message("POST", path, body.encode(), host="localhost"))
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()

    await asyncio.gather(*(one(*sent) for sent in case.requests[:GONE]))


async def _send_slowly(server: Server, case: Case) -> list[int]:
    async def one(path: str, body: str) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(message("POST", path, body.encode(), host="localhost")[:-20])
        await writer.drain()
        async with asyncio.timeout(60):
            first = await reader.readline()
        writer.close()
        return int(first.split(b" ", 2)[1])

    return await asyncio.gather(*(one(*sent) for sent in case.requests[:SLOW]))


def _waiting(server: Server) -> int:
    """Requests that wait for the model, as the metrics tell."""
    text = server.ask("GET", "/metrics").body.decode()
    lines = [line for line in text.splitlines() if line.startswith("rewardsmith_queue_requests{")]
    if server.ask("GET", "/health/ready").status != 200:
        raise SystemExit("the server is not ready any more")
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines)


@contextlib.contextmanager
def _full_folder(beside: Path) -> Iterator[tuple[Path | None, str]]:
    """A folder on a file system of 64 KiB, where this user may mount one; nothing where not."""
    with tempfile.TemporaryDirectory(dir=beside) as name:
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", name]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
            yield None, "files that may have 64 KiB"
            return
        try:
            yield Path(name), "a file system of 64 KiB"
        finally:
            subprocess.run(["umount", name], check=True)


def _on_full_disk(case: Case, folder: Path | None) -> contextlib.AbstractContextManager[Server]:
    place = case.folder / "small" if folder is None else folder
    options = ["--cache", str(place / "cache"), "--traffic-log", str(place / "traffic"), "--set", "traffic_share=1"]
    return ours({NAME: case.model}, *CACHED, *options, precision="float32", most_file_kb=64 if folder is None else None)


def _exit_code(model: Path) -> int:
    """Of a server of `model` alone."""
    command = [
        str(Path(sys.executable).with_name("rewardsmith")),
        "serve",
        str(model),
        "--allow-ungated",
        "--port",
        "0",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        return process.wait(120)
    finally:
        end(process)


def _conversation(body: str) -> Conversation:
    return from_dicts(json.loads(body)["messages"])


def _until(is_so: Callable[[], bool], *, most_s: float = 60.0) -> None:
    deadline = time.perf_counter() + most_s
    while not is_so() and time.perf_counter() < deadline:
        time.sleep(0.05)
