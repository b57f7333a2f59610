"""What the experiments share: runs that are kept as they finish, features of frozen models, and rows of results.

A study is a list of runs, each named by its settings. A finished run lies in `runs/experiments` and is not computed
again, so an experiment that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rewardsmith.core.conversation import Conversation, to_dicts
from rewardsmith.core.digest import digest_json
from rewardsmith.models.builtin import resolve
from rewardsmith.models.load import build
from rewardsmith.models.settings import ModelSettings
from rewardsmith.scoring.engine import FastScorer
from rewardsmith.text.encoder import ConversationEncoder
from rewardsmith.text.load import load_tokenizer

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
RUNS = ROOT / "runs" / "experiments"
FIGURES = ROOT / "docs" / "results"
ROWS = ROOT / "bench" / "results" / "families.json"

Row = dict[str, Any]


class Study:
    """The finished runs of one experiment.

    Args:
        name: Of the experiment; its runs lie in `runs/experiments/<name>.jsonl`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._file = RUNS / f"{name}.jsonl"
        lines = self._file.read_text("utf-8").splitlines() if self._file.is_file() else []
        self._known = {json.dumps(each["settings"], sort_keys=True): each for each in map(_parsed, lines) if each}

    def run(self, settings: Mapping[str, Any], compute: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """The result of `compute`, which is called where no run of these settings was finished before."""
        key = json.dumps(settings, sort_keys=True)
        if key not in self._known:
            started = time.perf_counter()
            result = dict(compute())
            done = {"settings": dict(settings), "result": result, "seconds": round(time.perf_counter() - started, 1)}
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(done) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            self._known[key] = done
            print(f"{self.name} {key}: {done['seconds']} s", file=sys.stderr, flush=True)
        return self._known[key]["result"]

    @property
    def seconds(self) -> float:
        """What all finished runs took."""
        return sum(each["seconds"] for each in self._known.values())


def frozen_features(
    conversations: Sequence[Conversation],
    *,
    base: str,
    max_tokens: int = 512,
    pooling: Literal["auto", "last", "mean"] = "auto",
) -> np.ndarray:
    """`[conversation, hidden]`: what a new reward head on `base` would read, computed once and kept."""
    asked = {"base": base, "max_tokens": max_tokens, "texts": [to_dicts(each) for each in conversations]}
    if pooling != "auto":
        asked["pooling"] = pooling
    path = RUNS / f"features-{digest_json(asked)[:16]}.npy"
    if not path.is_file():
        model = build(ModelSettings(base=base, trainable="head", pooling=pooling), seed=0)
        encoder = ConversationEncoder(load_tokenizer(resolve(base)), max_tokens=max_tokens)
        found = FastScorer(model, encoder, overlength="truncate").features(list(conversations))
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".partial")
        with draft.open("wb") as stream:
            np.save(stream, found)
        draft.replace(path)
    return np.load(path)


def row(name: str, value: float, interval: tuple[float, float], *, n: int, unit: str, ours: Any, peer: Any) -> Row:
    """One result in the format of `bench/results/speed.json`; `ours` and `peer` are the two sides of it."""
    numbers = {"value": value, "low": interval[0], "high": interval[1]}
    return {"name": name, **{key: float(f"{each:.4g}") for key, each in numbers.items()}, "n": n, "unit": unit} | {
        "ours": ours,
        "peer": peer,
    }


def write_rows(rows: Sequence[Row], out: Path = ROWS) -> None:
    """Print `rows` and put them into the list in `out`, in the place of older ones of the same names."""
    names = {each["name"] for each in rows}
    known = json.loads(out.read_text("utf-8")) if out.is_file() else []
    for each in rows:
        print(f"{each['name']}: {each['value']} [{each['low']}, {each['high']}], n = {each['n']}, {each['unit']}")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(
        json.dumps([*(each for each in known if each["name"] not in names), *rows], indent=1) + "\n", "utf-8"
    )


def require_data(*names: str) -> list[Path]:
    """Where the real data lie.

    Raises:
        SystemExit: They are not there.
    """
    paths = [DATA / name for name in names]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise SystemExit(f"this experiment needs {', '.join(missing)}")
    return paths


def _parsed(line: str) -> dict[str, Any] | None:
    """A line, unless a kill cut it."""
    try:
        return json.loads(line)
    except ValueError:
        return None
