"""Half an hour at 80% of what the server can do, with bad requests mixed in: is every reply right, and memory flat?

MiniLM under a new head in float32, HH conversations by every route that scores (`serve_routes`). What the server can do
is measured first, by 32 clients. Then requests start at random moments (Poisson), 1 in 20 of them bad in one of several
ways. Every reply is compared with the reward of the same text in this process (1e-5), every bad request must get its
4xx. The server remembers little (`cache_entries=256`), so that it computes nearly all that it is asked for.

Row `soak-lost`: replies that were wrong, or did not come. Row `soak-memory-mb-per-hour`: slope of the memory of all of
the server's processes over the second half, by least squares through the lowest of each minute: between two times that
it gives freed memory back (30 s), it holds what its batches left. The highest of both halves are printed.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measure
import numpy as np
import serve_texts
from serve_load import Load, Plan, Replied, Sent, put_under
from serve_process import Server, ours
from serve_routes import ROUTES, Route
from untrained import ENCODER, save_untrained

from rewardsmith.scoring.load import load_scorer

TOLERANCE = 1e-5
SHARE_OF_CAPACITY = 0.8
SHARE_BAD = 0.05
CAPACITY_S = 20.0
SAMPLE_S = 1.0
FEW_REMEMBERED = ("--set", "cache_entries=256")

BAD: dict[str, tuple[Sent, int]] = {
    "no JSON": (("/v1/rewards", "{"), 400),
    "an empty list": (("/v1/rewards", '{"conversations": []}'), 422),
    "an unknown key": (("/v1/rewards", '{"texts": ["a"], "txets": 1}'), 422),
    "a wrong type": (("/classify", '{"input": {"a": 1}}'), 422),
    "NaN": (("/v1/rewards", '{"texts": ["a"], "baseline": {"reward": NaN}}'), 400),
    "an unknown model": (("/classify", '{"input": "a", "model": "nobody"}'), 404),
    "too long": (("/get_reward", json.dumps({"query": ["word " * 5000]})), 413),
    "no route": (("/v1/nothing", "{}"), 404),
}
"""What is wrong with a request → the request, and the status that it must get."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Requests, and what must come back of each.

    Attributes:
        requests: In order.
        wanted: The route and the reward of a good one, the status of a bad one.
    """

    requests: list[Sent]
    wanted: list[tuple[Route, float] | int]


def rows(arguments: argparse.Namespace) -> list[measure.Row]:
    """The rows, and lines for the rest."""
    with tempfile.TemporaryDirectory() as name:
        model = save_untrained(ENCODER, Path(name) / "model")
        pool = _pool(model, count=400 if arguments.quick else 8000)
        with ours(model, *FEW_REMEMBERED, precision="float32") as server:
            per_s = SHARE_OF_CAPACITY * _capacity(server, pool, seconds=CAPACITY_S / (4 if arguments.quick else 1))
            seconds = 60 * arguments.minutes
            asked = mixed(pool, count=int(per_s * seconds * 1.1) + 100, share_bad=SHARE_BAD, seed=1)
            plan = Plan(server.port, asked.requests, per_s=per_s, most_s=seconds)
            print(f"{per_s:.1f} requests a second for {seconds:.0f} s", flush=True)
            load, memory = _watched(server, plan)
    return _rows(load, asked, memory)


def mixed(pool: Sequence[tuple[Route, Sent, float]], *, count: int, share_bad: float, seed: int) -> Asked:
    """`count` requests in random order, so many of them bad."""
    dice = random.Random(seed)
    bad = list(BAD.values())
    requests: list[Sent] = []
    wanted: list[tuple[Route, float] | int] = []
    for _ in range(count):
        if dice.random() < share_bad:
            sent, status = dice.choice(bad)
            requests.append(sent)
            wanted.append(status)
        else:
            route, sent, reward = dice.choice(pool)
            requests.append(sent)
            wanted.append((route, reward))
    return Asked(requests, wanted)


def judged(reply: Replied, wanted: tuple[Route, float] | int) -> str:
    """`right`, `wrong`, `lost` (no reply, or the server's own failure), or `refused` (429)."""
    if reply.status == 0 or reply.status >= 500:
        return "lost"
    if reply.status == 429:
        # A bad request too: a full queue takes nothing in that would have to be read first.
        return "refused"
    if isinstance(wanted, int):
        return "right" if reply.status == wanted else "wrong"
    route, reward = wanted
    if reply.status != 200:
        return "wrong"
    found = route.reward(json.loads(reply.body))
    return "right" if abs(found - reward) <= TOLERANCE * max(1.0, abs(reward)) else "wrong"


def _pool(model: Path, *, count: int) -> list[tuple[Route, Sent, float]]:
    """Good requests: each conversation by one of the routes that can say it, and its reward."""
    encoder = serve_texts.encoder_of(model)
    texts = serve_texts.mixed(encoder)
    some = texts.at(range(min(count, len(texts.lengths)))).conversations
    rewards = load_scorer(model, device="cpu").score(some).rewards.tolist()
    return list(_requests(some, rewards, encoder))


def _requests(
    conversations: Sequence[Any], rewards: Sequence[float], encoder: Any
) -> Iterator[tuple[Route, Sent, float]]:
    for number, (conversation, reward) in enumerate(zip(conversations, rewards, strict=True)):
        suiting = [route for route in ROUTES if route.suits(conversation)]
        route = suiting[number % len(suiting)]
        yield route, route.sent(route.subject(conversation, encoder.render(conversation))), reward


def _capacity(server: Server, pool: Sequence[tuple[Route, Sent, float]], *, seconds: float) -> float:
    requests = [sent for _, sent, _ in pool]
    load = put_under(Plan(server.port, requests * 20, clients=32, warm_up=32, most_s=seconds))
    print(f"it can do {load.per_s:.1f} requests a second (n = {len(load.replies)})", flush=True)
    return load.per_s


def _watched(server: Server, plan: Plan) -> tuple[Load, list[tuple[float, float, float]]]:
    """What came of the plan, and `(seconds, MiB of the first process, MiB of the others)` all the while."""
    memory: list[tuple[float, float, float]] = []
    is_over = threading.Event()
    began = time.perf_counter()

    def watch() -> None:
        while not is_over.wait(SAMPLE_S):
            memory.append((time.perf_counter() - began, *server.megabytes()))

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            load = put_under(plan)
        finally:
            is_over.set()
        watching.result()
    return load, memory


def _rows(load: Load, asked: Asked, memory: Sequence[tuple[float, float, float]]) -> list[measure.Row]:
    kinds = Counter(judged(reply, asked.wanted[reply.index]) for reply in load.replies)
    statuses = dict(sorted(Counter(reply.status for reply in load.replies).items()))
    print(f"{len(load.replies)} requests in {load.seconds:.0f} s: {dict(kinds)}; statuses {statuses}")
    print(f"p50 {load.milliseconds(0.5):.1f} ms, p99 {load.milliseconds(0.99):.1f} ms")
    for reply in [each for each in load.replies if judged(each, asked.wanted[each.index]) in ("wrong", "lost")][:5]:
        print(f"  {reply}; wanted {asked.wanted[reply.index]}")
    failed = kinds["wrong"] + kinds["lost"]
    unit = (
        f"of {len(load.replies)} requests wrong or lost ({load.seconds / 60:.1f} minutes, {kinds['refused']} refused)"
    )
    lost = measure.row("soak-lost", failed, [failed], unit) | {"ours": failed, "peer": None}
    return [lost | {"n": len(load.replies)}, *_memory_rows(memory)]


def _memory_rows(memory: Sequence[tuple[float, float, float]]) -> list[measure.Row]:
    if len(memory) < 2:
        return []
    seconds, first, model = np.array(memory).T
    for name, used in (("server", first), ("model", model)):
        half = len(used) // 2
        highest = f"highest {used[:half].max():.0f} MiB in the first half, {used[half:].max():.0f} in the second"
        print(f"memory, {name}: {used[0]:.0f} MiB at first, {used[-1]:.0f} at last, {highest}")
    minutes, lowest = _lowest(seconds, first + model)
    if len(minutes) < 6:
        return []
    later = len(minutes) // 2
    slope, error = _slope(minutes[later:] / 60, lowest[later:])
    unit = "MiB an hour, lowest of each minute of the second half, ± 2 errors"
    row = measure.row("soak-memory-mb-per-hour", slope, [slope - 2 * error, slope + 2 * error], unit)
    return [row | {"n": len(minutes) - later, "ours": row["value"], "peer": None}]


def _lowest(seconds: np.ndarray, used: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each whole minute in which there was a look, and the least that was used in it."""
    numbers = (seconds // 60).astype(int)
    minutes = np.unique(numbers)[:-1]
    return minutes, np.array([used[numbers == minute].min() for minute in minutes])


def _slope(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Of the line of least squares, and its standard error."""
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    rest = y - y.mean() - slope * centred
    return slope, float(np.sqrt(rest @ rest / max(1, len(x) - 2) / (centred @ centred)))
