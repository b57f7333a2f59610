"""Requests a second and latencies: rewardsmith's server, the hand-written file, and infinity-emb.

`throughput`: MiniLM under a new head, HH conversations of all lengths up to 512 tokens, each sent once (so that nothing
is remembered), by 32 clients that send their next request when they have the reply. Each run is a fresh server and a
fresh client process on the same cores, the servers in turn; a number of requests goes before and is not counted. Rows:

- `throughput-32-clients`: ratio of the requests a second, rewardsmith at its default precision against the hand-written
  file in float32 (`naive_server`); `-float32` and `-bf16`: both in that precision.
- `throughput-32-clients-infinity`: rewardsmith against infinity-emb's `/classify`, in the faster of its dtypes, with a
  second output that is always 0 (it gives models of one output no `/classify`).

`latency`: conversations of 124 to 132 tokens, rewardsmith at its default precision, one client (`p50-ms-alone`,
`p99-ms-alone`) and 32 (`p50-ms-32-clients`, `p99-ms-32-clients`); `peer` is the hand-written file in float32.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import measure
import serve_texts
from serve_infinity import infinity, installed, two_label_copy
from serve_load import Load, Plan, Sent, put_under
from serve_process import Server, naive, ours
from serve_texts import Texts
from untrained import ENCODER, save_untrained

CLIENTS = 32
WARM_UP = 64
ABOUT_128 = (124, 132)

Start = Callable[[], contextlib.AbstractContextManager[Server]]
Ask = Callable[[Texts], list[Sent]]


def throughput(arguments: argparse.Namespace) -> list[measure.Row]:
    """Rows of requests a second."""
    with tempfile.TemporaryDirectory() as name:
        model = save_untrained(ENCODER, Path(name) / "model")
        encoder = serve_texts.encoder_of(model)
        texts = serve_texts.mixed(encoder)
        sides: dict[str, tuple[Start, Ask]] = {
            "ours auto": (lambda: ours(model), _classify),
            "naive float32": (lambda: naive(model), _score),
            "ours float32": (lambda: ours(model, precision="float32"), _classify),
            "naive bf16": (lambda: naive(model, dtype="bfloat16"), _score),
            "ours bf16": (lambda: ours(model, precision="bf16"), _classify),
        }
        reason = installed()
        if reason is None:
            copy = two_label_copy(model, Path(name) / "two")

            def rendered(some: Texts) -> list[Sent]:
                return [_infinity(serve_texts.rendered(encoder, each)) for each in some.conversations]

            sides["infinity float32"] = (lambda: infinity(copy, dtype="float32"), rendered)
            sides["infinity bf16"] = (lambda: infinity(copy, dtype="bfloat16"), rendered)
        loads = _loads(sides, texts, arguments)
    return _throughput_rows(loads, texts.source, reason)


def latency(arguments: argparse.Namespace) -> list[measure.Row]:
    """Rows of milliseconds."""
    with tempfile.TemporaryDirectory() as name:
        model = save_untrained(ENCODER, Path(name) / "model")
        texts = serve_texts.mixed(serve_texts.encoder_of(model)).of_length(*ABOUT_128)
        sides: dict[str, tuple[Start, Ask]] = {
            "ours": (lambda: ours(model), _classify),
            "naive": (lambda: naive(model), _score),
        }
        found = {clients: _loads(sides, texts, arguments, clients=clients) for clients in (1, CLIENTS)}
    rows = []
    for clients, company in ((1, "alone"), (CLIENTS, f"{CLIENTS}-clients")):
        for percent in (50, 99):
            own, peer = (
                [each.milliseconds(percent / 100) for each in found[clients][side]] for side in ("ours", "naive")
            )
            unit = f"ms a request of 124 to 132 tokens, {texts.source}; peer: hand-written, float32"
            row = measure.row(f"p{percent}-ms-{company}", statistics.median(own), own, unit)
            rows.append(row | {"ours": row["value"], "peer": measure.rounded(statistics.median(peer))})
    return rows


def _loads(
    sides: Mapping[str, tuple[Start, Ask]], texts: Texts, arguments: argparse.Namespace, *, clients: int = CLIENTS
) -> dict[str, list[Load]]:
    """What came of each side's load, the sides in turn; each repeat has texts of its own, where there are enough."""
    loads: dict[str, list[Load]] = {side: [] for side in sides}
    count = WARM_UP + (arguments.requests if clients > 1 else arguments.requests // 2)
    for repeat in range(arguments.repeats):
        places = [(repeat * count + place) % len(texts.lengths) for place in range(min(count, len(texts.lengths)))]
        for side, (start, ask) in sides.items():
            with start() as server:
                plan = Plan(
                    server.port, ask(texts.at(places)), clients=clients, warm_up=WARM_UP, most_s=arguments.most_s
                )
                before = server.cpu_s()
                load = put_under(plan)
                cpu_s = server.cpu_s() - before
            loads[side].append(load)
            print(f"repeat {repeat + 1}, {clients} clients, {side}: {_told(load, cpu_s)}", flush=True)
            _require_good(load, side)
    return loads


def _told(load: Load, cpu_s: float) -> str:
    times = ", ".join(f"p{percent} {load.milliseconds(percent / 100):.1f} ms" for percent in (50, 99))
    cost = 1000 * cpu_s / (len(load.replies) + WARM_UP)
    share = load.cpu_s / load.seconds
    return (
        f"{load.per_s:.1f} requests a second (n = {len(load.replies)}), {times}; {cost:.1f} ms of processor time a "
        f"request; the client took {share:.1%} of a core"
    )


def _require_good(load: Load, side: str) -> None:
    bad = load.bad()
    if bad:
        raise SystemExit(f"{side}: {len(bad)} of {len(load.replies)} requests failed, the first with {bad[0]}")


def _throughput_rows(loads: Mapping[str, Sequence[Load]], source: str, reason: str | None) -> list[measure.Row]:
    speeds = {side: [each.per_s for each in some] for side, some in loads.items()}
    unit = f"times, requests a second ({source} to 512 tokens, {CLIENTS} clients"
    rows = [
        measure.ratio_row(name, speeds[own], speeds[peer], f"{unit}; {own} against {peer})")
        for name, own, peer in (
            ("throughput-32-clients", "ours auto", "naive float32"),
            ("throughput-32-clients-float32", "ours float32", "naive float32"),
            ("throughput-32-clients-bf16", "ours bf16", "naive bf16"),
        )
    ]
    if reason is not None:
        print(f"infinity-emb is left out, since it cannot be installed: {reason}")
        return rows
    best = max(("infinity float32", "infinity bf16"), key=lambda side: statistics.median(speeds[side]))
    last = measure.ratio_row(
        "throughput-32-clients-infinity", speeds["ours auto"], speeds[best], f"{unit}; ours auto against {best})"
    )
    return [*rows, last]


def _classify(texts: Texts) -> list[Sent]:
    return [("/classify", json.dumps({"messages": each})) for each in texts.messages()]


def _score(texts: Texts) -> list[Sent]:
    return [("/score", json.dumps({"messages": each})) for each in texts.messages()]


def _infinity(text: str) -> Sent:
    return "/classify", json.dumps({"model": "model", "input": [text], "raw_scores": True})
