"""What a turn measured, as rows of `bench/results/optimise.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rewardsmith.core.store import write_text

Row = dict[str, Any]


def rows(comparison: Path, seconds: Mapping[str, float | None]) -> list[Row]:
    """`second-minus-first-policy-gold`, and `loop-minutes` unless a step was interrupted, since then nobody knows.

    Args:
        comparison: Artefact of the comparison.
        seconds: What each step took.
    """
    found = json.loads((comparison / "comparison.json").read_text("utf-8"))
    difference = found["differences"]["second - first"]
    means = {name: round(each["gold"]["value"], 4) for name, each in found["policies"].items()}
    made: list[Row] = [
        {
            "name": "second-minus-first-policy-gold",
            **{key: round(difference[key], 4) for key in ("value", "low", "high")},
            "n": difference["groups"],
            "unit": "points of the rubric (0 to 10) on unseen prompts, paired; second policy (ours), first (peer)",
            "ours": means["second"],
            "peer": means["first"],
        }
    ]
    known = [each for each in seconds.values() if each is not None]
    if len(known) == len(seconds):
        minutes = round(sum(known) / 60, 2)
        unit = "minutes for a full turn of the loop, all steps"
        made.append({"name": "loop-minutes", "value": minutes, "low": minutes, "high": minutes, "n": 1, "unit": unit})
    return made


def write_rows(made: list[Row], path: Path) -> None:
    """Put rows into the list in `path`, in the place of older ones of the same names."""
    names = {each["name"] for each in made}
    known = json.loads(path.read_text("utf-8")) if path.is_file() else []
    values = [*(each for each in known if each["name"] not in names), *made]
    write_text(path, json.dumps(values, indent=1) + "\n")
