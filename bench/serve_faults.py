"""What the server does when something breaks: does every request that it took get its reply, and the right one?

    python bench/serve.py faults [--only worker-killed sigterm-under-load] [--quick]

MiniLM under a new head in float32, HH conversations by `/classify`, rewards compared with this process's (1e-5). One
fresh server a fault. A row a fault (`fault-…`): requests that the server took and that got no reply, a wrong reward, or
a failure of the server's own. Refused requests (429, 503 and connections that were not taken) are counted apart: they
were told so. How many the server took is also counted from its own log, a line a request.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import measure
import serve_texts
from serve_break import (
    client_gone,
    disk_full,
    model_corrupt,
    overload,
    sigterm_under_load,
    slow_client,
    swap_under_load,
    worker_killed,
)
from serve_fate import Case, Fate
from serve_load import Sent
from untrained import ENCODER, save_untrained

from rewardsmith.scoring.load import load_scorer

FAULTS: dict[str, Callable[[Case], Fate]] = {
    "client-gone": client_gone,
    "slow-client": slow_client,
    "overload-10x": overload,
    "worker-killed": worker_killed,
    "disk-full": disk_full,
    "model-corrupt": model_corrupt,
    "swap-under-load": swap_under_load,
    "sigterm-under-load": sigterm_under_load,
}


@dataclass(frozen=True, slots=True)
class _Told:
    name: str
    fate: Fate


def rows(arguments: argparse.Namespace) -> list[measure.Row]:
    """A row a fault, and a line that says how it ended."""
    told: list[_Told] = []
    with tempfile.TemporaryDirectory() as name:
        case = _case(Path(name), texts=200 if arguments.quick else 1000)
        for fault, run in FAULTS.items():
            if arguments.only and fault not in arguments.only:
                continue
            fate = run(case)
            told.append(_Told(fault, fate))
            print(f"{fault}: {fate.told()}", flush=True)
    return [_row(each) for each in told]


def _case(folder: Path, *, texts: int) -> Case:
    model = save_untrained(ENCODER, folder / "model")
    mixed = serve_texts.mixed(serve_texts.encoder_of(model), most_tokens=256)
    some = mixed.at(range(min(texts, len(mixed.lengths))))
    requests: list[Sent] = [("/classify", json.dumps({"messages": each})) for each in some.messages()]
    rewards: Sequence[float] = load_scorer(model, device="cpu").score(some.conversations).rewards.tolist()
    return Case(folder, model, requests, rewards)


def _row(told: _Told) -> measure.Row:
    fate = told.fate
    failed = fate.wrong + fate.lost
    unit = f"of {fate.sent} requests wrong or lost ({fate.right} right, {fate.refused} refused); {fate.outcome}"
    row = measure.row(f"fault-{told.name}", failed, [failed], unit)
    return row | {"n": fate.sent, "ours": failed, "peer": None}
