"""What became of the requests of a load: right, wrong, refused or lost; and what the server's own log says of them."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from serve_load import Load, Plan, Replied, Sent, put_under
from serve_process import Server

TOLERANCE = 1e-5
NOT_TAKEN = ("ConnectionRefusedError", "ConnectionResetError", "IncompleteReadError(0 bytes")
"""Errors of a connection that the server did not take, or closed before it had read a request."""


@dataclass(frozen=True, slots=True)
class Case:
    """What every fault is tried with.

    Attributes:
        folder: For what it writes.
        model: Checkpoint.
        requests: Good ones, to `/classify`.
        rewards: What each must get.
    """

    folder: Path
    model: Path
    requests: Sequence[Sent]
    rewards: Sequence[float]

    def plan(self, server: Server, *, count: int, clients: int = 16, per_s: float | None = None) -> Plan:
        """So many of the requests, again from the first where there are fewer."""
        times = -(-count // len(self.requests))
        requests = (list(self.requests) * times)[:count]
        return Plan(server.port, requests, clients=clients, per_s=per_s, most_s=60, patience_s=90)

    def reward(self, index: int) -> float:
        """Of request number `index` of a plan."""
        return self.rewards[index % len(self.rewards)]


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a load.

    Attributes:
        sent: Requests.
        right: Got the right reward.
        wrong: Got another one.
        refused: Were told that they are not taken (429, 503), or found nobody who listens.
        lost: Got no reply, or a failure of the server's own.
        outcome: In words.
        statuses: Of the replies; 0 where there was none.
        logged: Requests to `/classify` that the server's log says were answered with 200.
    """

    sent: int
    right: int
    wrong: int
    refused: int
    lost: int
    outcome: str
    statuses: Mapping[int, int]
    logged: int

    def told(self) -> str:
        """One line."""
        counts = (
            f"{self.sent} sent = {self.right} right + {self.refused} refused + {self.wrong} wrong + {self.lost} lost"
        )
        return f"{self.outcome}; {counts}; statuses {dict(self.statuses)}; the log has {self.logged} answered"


def fate_of(
    load: Load,
    case: Case,
    server: Server,
    *,
    outcome: str,
    others: Sequence[Sequence[float]] = (),
    is_ending: bool = False,
) -> Fate:
    """Judge a load.

    Args:
        others: Other rewards that are right too, as of a model that was swapped in.
        is_ending: The server was told to stop: who finds nobody is refused.
    """
    kinds = Counter(_kind(reply, case, others=others, is_ending=is_ending) for reply in load.replies)
    return Fate(
        sent=len(load.replies),
        right=kinds["right"],
        wrong=kinds["wrong"],
        refused=kinds["refused"],
        lost=kinds["lost"],
        outcome=outcome,
        statuses=dict(sorted(Counter(reply.status for reply in load.replies).items())),
        logged=logged_answers(server.log),
    )


def logged_answers(log: Path) -> int:
    """Requests to `/classify` that were answered, as the server's log tells."""
    count = 0
    for line in log.read_text("utf-8", "replace").splitlines():
        with contextlib.suppress(ValueError):
            told = json.loads(line)
            if isinstance(told, dict):
                count += told.get("route") == "/classify" and told.get("status") == 200
    return count


@contextlib.contextmanager
def under_load(plan: Plan, *, after_s: float = 1.5) -> Iterator[Callable[[], Load]]:
    """Inside, the load is on, for `after_s` seconds already; what the block is given waits for its end."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(put_under, plan)
        time.sleep(after_s)
        yield future.result


def _kind(reply: Replied, case: Case, *, others: Sequence[Sequence[float]], is_ending: bool) -> str:
    if reply.status in (429, 503):
        return "refused"
    if reply.status == 0 and is_ending and any(name in reply.body for name in NOT_TAKEN):
        return "refused"
    if reply.status != 200:
        return "lost"
    found = json.loads(reply.body)["data"][0]["probs"][0]
    place = reply.index % len(case.rewards)
    wanted = [case.reward(reply.index), *(some[place] for some in others)]
    return "right" if any(abs(found - each) <= TOLERANCE * max(1.0, abs(each)) for each in wanted) else "wrong"
