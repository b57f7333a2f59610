"""What the benchmark scripts share: fresh processes, peak memory, ratios, and the file of results.

A row of results has `name`, `value`, `low` and `high` (over the `n` repeats), `unit`, and what was measured of each
side (`ours`, `peer`).
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
OUT = ROOT / "bench" / "results" / "speed.json"
CACHE = ROOT / "runs" / "bench"

Row = dict[str, Any]


def in_fresh_process(script: str, arguments: Sequence[object], environment: Mapping[str, str] | None = None) -> Any:
    """Run a script and return the JSON on its last line of output. What it wrote to stderr is shown where it fails.

    Args:
        environment: Added to this process's.

    Raises:
        SystemExit: It failed.
    """
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, script, *map(str, arguments)],
        env={**os.environ, **offline, **(environment or {})},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        sys.stderr.write(done.stderr)
        raise SystemExit(f"{Path(script).name} {' '.join(map(str, arguments))} failed with {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def peak_mb() -> int:
    """Most memory that this process has held, interpreter and libraries included, in MiB.

    Linux's own count of the running program is taken where there is one: `getrusage` also counts what the parent held
    when it started this process.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        lines = [line for line in status.read_text("utf-8").splitlines() if line.startswith("VmHWM:")]
        return round(int(lines[0].split()[1]) / 1024)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def ratio_row(name: str, ours: Sequence[float], peer: Sequence[float], unit: str) -> Row:
    """How many times the peer's median ours is, with the lowest and the highest ratio of the repeats.

    Args:
        ours: One value a repeat, taken in turn with the peer's.
    """
    own, other = statistics.median(ours), statistics.median(peer)
    ratios = [one / two for one, two in zip(ours, peer, strict=True)]
    return row(name, own / other, ratios, unit) | {"ours": rounded(own), "peer": rounded(other)}


def growth_row(name: str, large: Sequence[float], small: Sequence[float], unit: str) -> Row:
    """How many times the smallest size's median the largest size's is; the repeats of the two need not be as many.

    `low` and `high` are over all repeats of one with all of the other. `ours` is the largest size's median.
    """
    value = statistics.median(large) / statistics.median(small)
    ends = [min(large) / max(small), max(large) / min(small)]
    n = min(len(large), len(small))
    return row(name, value, ends, unit) | {"n": n, "ours": rounded(statistics.median(large)), "peer": None}


def row(name: str, value: float, values: Sequence[float], unit: str) -> Row:
    """A row of `value`, from the lowest to the highest of `values`."""
    bounds = {"value": value, "low": min(values), "high": max(values)}
    return {"name": name} | {key: rounded(each) for key, each in bounds.items()} | {"n": len(values), "unit": unit}


def rounded(value: float) -> float:
    """`value` with four significant digits."""
    return float(f"{value:.4g}")


def show(rows: Sequence[Row]) -> None:
    """Print a line a row."""
    for each in rows:
        bounds = f"[{each['low']}, {each['high']}], n = {each['n']}"
        print(f"{each['name']}: {each['value']} {bounds} {each['unit']} (ours {each['ours']}, peer {each['peer']})")


def known_row(out: Path, name: str) -> Row | None:
    """The row of that name in the JSON list in `out`, where there is one."""
    return next((each for each in _known(out) if each["name"] == name), None)


def write_rows(out: Path, rows: Sequence[Row]) -> None:
    """Put `rows` into the JSON list in `out`, in the place of older ones of the same name."""
    names = {each["name"] for each in rows}
    kept = [each for each in _known(out) if each["name"] not in names]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps([*kept, *rows], indent=1) + "\n", encoding="utf-8")


def _known(out: Path) -> list[Row]:
    return json.loads(out.read_text("utf-8")) if out.is_file() else []
