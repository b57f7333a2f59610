"""Requests that nobody would write: does any of them break the server?

A tiny decoder behind `rewardsmith serve`. Row `fuzz-5xx`: replies of 500 and above, and connections that ended without
a reply, of all cases, which are:

- schemathesis, from the server's own OpenAPI document: for every route as many valid as invalid requests;
- hypothesis, over texts: anything that Unicode has, special tokens, control characters, halves of surrogate pairs, very
  long ones, by every route that scores (`serve_routes`).

Afterwards the server must still give the same rewards as before.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import measure
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from serve_process import Server, ours
from serve_routes import ROUTES, Route

sys.path.insert(0, str(measure.ROOT))

MODEL = "helpful"
"""The name that the examples of the routes have."""

PROBE = json.dumps({"texts": ["What is 2 + 2? 4"]}).encode()
SHARE_OF_TEXTS = 0.3
PIECES = ("<s>", "</s>", "<pad>", "<|start|>", "<|im_end|>", "\x00", "\ud800", "\u202e", "𝕏", "\r\n\r\n", "{{", "%s")


class Tally:
    """Statuses of the replies, and what was sent where there was none or a bad one."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.broken: list[str] = []

    def add(self, status: int, what: str) -> None:
        """Count one."""
        self.statuses[status] += 1
        if status == 0 or status >= 500:
            self.broken.append(f"{status}: {what[:300]}")


def rows(arguments: argparse.Namespace) -> list[measure.Row]:
    """The row, and what broke the server."""
    from tests.serve.families import build_families

    tally = Tally()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        [model] = build_families(Path(name), ("decoder",)).values()
        with ours({MODEL: model}, "--threads", "1", "--set", "max_texts=64", precision="float32") as server:
            before = server.ask("POST", "/v1/rewards", PROBE).json()["data"]
            _fuzz_schema(server, int((1 - SHARE_OF_TEXTS) * arguments.cases), tally)
            print(f"schema: {dict(tally.statuses)}, {time.perf_counter() - began:.0f} s", flush=True)
            # Some routes have fewer different requests than were asked for.
            _fuzz_texts(server, arguments.cases - tally.statuses.total(), tally)
            after = server.ask("POST", "/v1/rewards", PROBE).json()["data"]
    cases = tally.statuses.total()
    print(f"{cases} cases in {time.perf_counter() - began:.0f} s: {dict(sorted(tally.statuses.items()))}")
    for each in dict.fromkeys(tally.broken[:20]):
        print(f"  {each}")
    if [each["reward"] for each in before] != [each["reward"] for each in after]:
        raise SystemExit(f"the server gives another reward than before: {before}, {after}")
    broken = len(tally.broken)
    row = measure.row("fuzz-5xx", broken, [broken], f"of {cases} cases a 5xx, or no reply")
    return [row | {"n": cases, "ours": broken, "peer": None}]


def _fuzz_schema(server: Server, cases: int, tally: Tally) -> None:
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    # A route without parameters has one request.
    varied = sum(bool(each.body or each.path_parameters or each.query) for each in operations)
    each = max(2, -(-cases // (2 * varied)))
    for operation in operations:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            _try(operation, mode, each, tally)
        print(f"{operation.method.upper()} {operation.path}: {tally.statuses.total()} cases so far", flush=True)


def _try(operation: Any, mode: GenerationMode, count: int, tally: Tally) -> None:
    @_many(count)
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        if case.method == "DELETE" and case.path_parameters.get("name") == MODEL:
            # That would be a right request, and the end of the model.
            return
        try:
            status = case.call(timeout=120).status_code
        except OSError as error:
            status = 0
            tally.add(status, f"{case.method} {case.path} {case.body!r}: {error!r}")
            return
        tally.add(status, f"{case.method} {case.path} {case.body!r}")

    try:
        ask()
    except Exception as error:
        # Some operations have no invalid requests.
        print(f"{operation.method.upper()} {operation.path}, {mode.value}: {type(error).__name__}")


def _fuzz_texts(server: Server, cases: int, tally: Tally) -> None:
    anything = st.text(st.characters(codec=None, exclude_categories=()), max_size=80)
    broken = st.lists(st.sampled_from(PIECES) | anything, max_size=6).map("".join)
    long = st.builds(lambda text, times: text * times, broken, st.integers(1, 400))
    texts = broken | long
    with httpx2.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=120) as client:
        for route in ROUTES:
            _fuzz_route(route, texts, max(1, -(-cases // len(ROUTES))), tally, client)


def _fuzz_route(route: Route, texts: Any, count: int, tally: Tally, client: httpx2.Client) -> None:
    @_many(count)
    @given(first=texts, second=texts)
    def ask(first: str, second: str) -> None:
        messages = [{"role": "user", "content": first}, {"role": "assistant", "content": second}]
        subject = {"messages": messages, "text": first + second, "pair": (first, second)}[route.takes]
        path, body = route.sent(subject)
        tally.add(_status(client, path, body), f"{path} {body!r}")

    ask()


def _status(client: httpx2.Client, path: str, body: str) -> int:
    try:
        # JSON as Python writes it: halves of surrogate pairs travel as escapes.
        return client.post(path, content=body.encode("ascii"), headers={"Content-Type": "application/json"}).status_code
    except httpx2.HTTPError:
        return 0


def _many(count: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
