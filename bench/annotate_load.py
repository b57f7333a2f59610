"""Simulated raters at once before `rewardsmith annotate serve`, which is killed in the middle and started again.

Each rater does what the browser does: opens an access link, loads the page of the task as HTML, thinks for a while
(exponential), casts a vote by the form's fields, and loads the next page. A vote that is not acknowledged is sent again
with the same id, as the page's script does. At the end the store is read: every vote that was acknowledged must be
there, once, a tie where a tie was cast and nowhere else.

The server and the raters share the machine. The time of a vote is from the first byte of its request to the last of its
reply; votes that met the dead server are kept or lost as all others, and left out of the times, which the server's
restart would decide.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import measure
from annotate_postgres import postgres
from serve_http import Connection, Reply
from serve_process import START_S, end, free_port

from rewardsmith.annotate.answers import PairAnswer
from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.store import LabelStore, open_store
from rewardsmith.annotate.tasks import Task
from rewardsmith.core.conversation import assistant, user

PROJECT = "load"
OVERLAP = 3
_HIDDEN = re.compile(rb'name="(csrf|id|task|offer)" value="([^"]*)"')
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_WORDS = 180
"""Of an answer: a typical one of chat data."""


@dataclass(slots=True)
class Load:
    """What the raters saw.

    Attributes:
        acknowledged: Id of each vote that the server said it had, and the choice.
        seconds: Of each vote that was acknowledged at the first try: when it was sent since the beginning, and how long
            it took.
        wrong: Replies that no rater should see.
    """

    acknowledged: dict[str, str] = field(default_factory=dict)
    seconds: list[tuple[float, float]] = field(default_factory=list)
    wrong: Counter[int] = field(default_factory=Counter)


def rows(arguments: argparse.Namespace) -> list[measure.Row]:
    """The rows of SQLite, and of PostgreSQL where it is installed."""
    found: list[measure.Row] = []
    if arguments.only in (None, "sqlite"):
        with tempfile.TemporaryDirectory() as folder:
            found += _measured(f"sqlite:///{folder}/labels.sqlite", arguments, suffix="")
    if arguments.only in (None, "postgresql"):
        with postgres() as url:
            if url is None:
                print("PostgreSQL is not installed: left out", file=sys.stderr)
            else:
                found += _measured(url, arguments, suffix="-postgresql")
    return found


def _measured(database: str, arguments: argparse.Namespace, *, suffix: str) -> list[measure.Row]:
    n_votes = int(arguments.raters * arguments.minutes * 60 / arguments.think_s)
    with contextlib.closing(open_store(database)) as store:
        tokens = _prepare(store, n_tasks=n_votes // OVERLAP + 100, n_raters=arguments.raters)
    load, port = Load(), free_port()
    asyncio.run(_run(load, database, port=port, tokens=tokens, arguments=arguments))
    with contextlib.closing(open_store(database)) as store:
        there = Counter(vote.id for vote in store.votes(PROJECT))
        ties = {vote.id for vote in store.votes(PROJECT) if vote.answer == PairAnswer("tie")}
    lost = sum(there[id] != 1 for id in load.acknowledged)
    lost += sum(there[id] == 1 and (id in ties) != (choice == "tie") for id, choice in load.acknowledged.items())
    if load.wrong:
        raise SystemExit(f"replies that no rater should see: {dict(load.wrong)}")
    unit = (
        f"of {len(load.acknowledged)} acknowledged; {arguments.raters} raters, {arguments.minutes:g} min, one kill -9"
    )
    n, times = len(load.acknowledged), [1000 * seconds for _, seconds in load.seconds]
    minutes = _by_minute(load.seconds)
    per_s = len(times) / arguments.minutes / 60
    about = f"ms, 95th percentile of a vote ({per_s:.0f} votes a second; low and high by minute)"
    each = {"n": n, "peer": None}
    return [
        measure.row(f"votes-lost{suffix}", lost, [lost], f"votes {unit}") | each | {"ours": lost},
        measure.row(f"vote-p95-ms{suffix}", _p95(times), minutes, about)
        | {**each, "n": len(times), "ours": measure.rounded(_p95(times))},
    ]


def _p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1))]


def _by_minute(seconds: list[tuple[float, float]]) -> list[float]:
    minutes: dict[int, list[float]] = {}
    for at, took in seconds:
        minutes.setdefault(int(at // 60), []).append(1000 * took)
    return [_p95(each) for each in minutes.values()]


def _prepare(store: LabelStore, *, n_tasks: int, n_raters: int) -> list[str]:
    """A project with so many tasks and raters; the tokens of their links."""
    lot = random.Random(0)
    words = [
        "the",
        "reward",
        "of",
        "an",
        "answer",
        "is",
        "what",
        "people",
        "prefer",
        "and",
        "why",
        "**not**",
        "`length`",
    ]
    project = ProjectSettings(name=PROJECT, kind="pair", overlap=OVERLAP, guidelines="Choose the better answer.")
    store.create_project(project)

    def text() -> str:
        return " ".join(lot.choices(words, k=_WORDS))

    store.add_tasks(
        PROJECT,
        [Task(f"t{i}", "pair", (user(text()),), ((assistant(text()),), (assistant(text()),))) for i in range(n_tasks)],
    )
    return [store.make_link(PROJECT, store.add_rater(PROJECT, f"rater {i}").id) for i in range(n_raters)]


async def _run(load: Load, database: str, *, port: int, tokens: list[str], arguments: argparse.Namespace) -> None:
    """All raters at once; the server is killed in the middle."""
    seconds = arguments.minutes * 60
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(_serving(database, port))
        await _until_ready(port)
        began = time.perf_counter()
        raters = [
            asyncio.create_task(
                _rate(
                    load,
                    port,
                    token,
                    began=began,
                    until=began + seconds,
                    lot=random.Random(i),
                    think_s=arguments.think_s,
                )
            )
            for i, token in enumerate(tokens)
        ]
        await asyncio.sleep(seconds / 2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        stack.enter_context(_serving(database, port))
        await asyncio.gather(*raters)


async def _rate(
    load: Load, port: int, token: str, *, began: float, until: float, lot: random.Random, think_s: float
) -> None:
    """One rater, from the link to the end of the time."""
    connection = Connection(port)
    # Nobody begins at the same moment as everybody else.
    await asyncio.sleep(lot.uniform(0, think_s))
    reply, _ = await _insist(load, connection, "POST", f"/a/{token}", b"", {})
    cookie = {"Cookie": reply.headers["set-cookie"].partition(";")[0]}
    while time.perf_counter() < until:
        reply, _ = await _insist(load, connection, "GET", f"/p/{PROJECT}", None, cookie)
        hidden = {name.decode(): value.decode() for name, value in _HIDDEN.findall(reply.body)}
        if "id" not in hidden:
            break
        await asyncio.sleep(lot.expovariate(1 / think_s))
        choice = lot.choice(["1", "2", "tie"])
        body = urlencode({**hidden, "choice": choice, "seconds": "1.5"}).encode()
        sent = time.perf_counter()
        reply, tries = await _insist(load, connection, "POST", f"/p/{PROJECT}/votes", body, cookie)
        if reply.status == 200:
            load.acknowledged[hidden["id"]] = choice
            if tries == 1:
                load.seconds.append((sent - began, time.perf_counter() - sent))
    connection.close()


async def _insist(
    load: Load, connection: Connection, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> tuple[Reply, int]:
    """The reply, however often it must be asked for, and how often it was."""
    for tries in range(1, 1000):
        try:
            async with asyncio.timeout(15):
                reply = await connection.request(method, path, body, {**_FORM, **headers})
        except (OSError, EOFError, TimeoutError):
            await asyncio.sleep(0.2)
            continue
        if reply.status >= 400:
            load.wrong[reply.status] += 1
        return reply, tries
    raise SystemExit("the server did not come back")


@contextlib.contextmanager
def _serving(database: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [str(Path(sys.executable).with_name("rewardsmith")), "annotate", "serve", "--db", database]
    options = ["--port", str(port), "--set", "links_per_s=100"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*command, *options], stdout=log, stderr=subprocess.STDOUT, start_new_session=True, env=dict(os.environ)
        )
        try:
            yield process
        finally:
            end(process)


async def _until_ready(port: int) -> None:
    connection, deadline = Connection(port), time.perf_counter() + START_S
    while time.perf_counter() < deadline:
        with contextlib.suppress(OSError, EOFError):
            if (await connection.request("GET", "/health/ready")).status == 200:
                connection.close()
                return
        await asyncio.sleep(0.1)
    raise SystemExit("the labelling server was not ready in time")
