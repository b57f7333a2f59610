"""The load that a server is put under, from a process of its own.

    python bench/serve_load.py PLAN.json RESULTS.json

A plan says where the server is, what it is sent, and how:

- `clients`: so many connections, each of which sends its next request when it has the reply (closed loop); or
- `per_s`: requests start at random moments, so many a second in the mean, whatever the replies do (open loop; Poisson).

The first `warm_up` requests are sent before, and not counted. Nothing is sent after `most_s` seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import measure
from serve_http import Connection

Sent = tuple[str, str]
"""Path and body of a request."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a server is sent.

    Attributes:
        port: Where it listens.
        requests: Path and body of each, in order.
        clients: Connections of the closed loop.
        per_s: Requests a second of the open loop; a closed one where absent.
        warm_up: Requests at the beginning that are not counted.
        most_s: Seconds after which nothing is sent.
        patience_s: Seconds after which a request counts as lost.
        seed: Of the open loop's moments.
    """

    port: int
    requests: list[Sent]
    clients: int = 1
    per_s: float | None = None
    warm_up: int = 0
    most_s: float = 120.0
    patience_s: float = 120.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Replied:
    """What became of one request.

    Attributes:
        index: Which one, counted from the first of the plan.
        started_s: When it was sent, since the load began.
        seconds: Until the whole reply was there.
        status: 0 where there was no reply.
        body: Of the reply, or what went wrong.
    """

    index: int
    started_s: float
    seconds: float
    status: int
    body: str


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a plan.

    Attributes:
        replies: In the order in which they came; those of the warm-up are left out.
        seconds: From the first request to the last reply.
        cpu_s: Processor time of the client's process in these seconds.
    """

    replies: list[Replied] = field(default_factory=list)
    seconds: float = 0.0
    cpu_s: float = 0.0

    @property
    def per_s(self) -> float:
        """Good replies a second."""
        return sum(each.status == 200 for each in self.replies) / self.seconds

    def milliseconds(self, share: float) -> float:
        """The latency that this share of the good replies did not exceed, in ms."""
        times = sorted(each.seconds for each in self.replies if each.status == 200)
        return 1000 * times[min(len(times) - 1, int(share * len(times)))]

    def bad(self) -> list[Replied]:
        """Replies that are no good ones."""
        return [each for each in self.replies if each.status != 200]


def put_under(plan: Plan) -> Load:
    """Run `plan` in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        plan_file, out = Path(name) / "plan.json", Path(name) / "results.json"
        plan_file.write_text(json.dumps(asdict(plan)), "utf-8")
        measure.in_fresh_process(__file__, [plan_file, out])
        found = json.loads(out.read_text("utf-8"))
    return Load([Replied(*each) for each in found["replies"]], found["seconds"], found["cpu_s"])


async def run(plan: Plan) -> Load:
    """Send it all, in this process."""
    first, rest = plan.requests[: plan.warm_up], list(enumerate(plan.requests))[plan.warm_up :]
    await _closed(plan, iter(list(enumerate(first))), began=time.perf_counter())
    began, cpu = time.perf_counter(), time.process_time()
    replies = await (_closed if plan.per_s is None else _open)(plan, iter(rest), began=began)
    return Load(replies, time.perf_counter() - began, time.process_time() - cpu)


async def _closed(plan: Plan, requests: Iterator[tuple[int, Sent]], *, began: float) -> list[Replied]:
    replies: list[Replied] = []

    async def client() -> None:
        connection = Connection(plan.port)
        for index, sent in requests:
            if time.perf_counter() - began > plan.most_s:
                break
            replies.append(await _sent(connection, plan, index, sent, began=began))
        connection.close()

    await asyncio.gather(*(client() for _ in range(plan.clients)))
    return replies


async def _open(plan: Plan, requests: Iterator[tuple[int, Sent]], *, began: float) -> list[Replied]:
    assert plan.per_s is not None
    dice, idle = random.Random(plan.seed), []
    replies: list[Replied] = []

    async def one(index: int, sent: Sent) -> None:
        connection = idle.pop() if idle else Connection(plan.port)
        replies.append(await _sent(connection, plan, index, sent, began=began))
        idle.append(connection)

    due = began
    async with asyncio.TaskGroup() as tasks:
        for index, sent in requests:
            due += dice.expovariate(plan.per_s)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if due - began > plan.most_s:
                break
            tasks.create_task(one(index, sent))
    for connection in idle:
        connection.close()
    return replies


async def _sent(connection: Connection, plan: Plan, index: int, sent: Sent, *, began: float) -> Replied:
    path, body = sent
    start = time.perf_counter()
    try:
        async with asyncio.timeout(plan.patience_s):
            reply = await connection.request("POST", path, body.encode("utf-8", "surrogatepass"))
    except (OSError, EOFError, ValueError) as error:
        return Replied(index, start - began, time.perf_counter() - start, 0, repr(error))
    seconds = time.perf_counter() - start
    return Replied(index, start - began, seconds, reply.status, reply.body.decode("utf-8", "replace"))


def main() -> None:
    """Run the plan of a file."""
    arguments = _arguments()
    plan = Plan(**json.loads(Path(arguments.plan).read_text("utf-8")))
    load = asyncio.run(run(plan))
    replies = [[each.index, each.started_s, each.seconds, each.status, each.body] for each in load.replies]
    found = {"replies": replies, "seconds": load.seconds, "cpu_s": load.cpu_s}
    Path(arguments.out).write_text(json.dumps(found), "utf-8")
    print(json.dumps({"replies": len(replies)}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan")
    parser.add_argument("out")
    return parser.parse_args()


if __name__ == "__main__":
    main()
