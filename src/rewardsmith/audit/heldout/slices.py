"""Accuracy by slice: one figure over everything hides the part where the model fails."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from rewardsmith.audit.heldout.accuracy import percent, share_right
from rewardsmith.audit.observations import Observations
from rewardsmith.core.finding import Estimate, Finding, Severity
from rewardsmith.core.preference import Preference
from rewardsmith.numerics.difference import independent_difference
from rewardsmith.numerics.testing import interval_p_value

Dimension = Literal["turns", "length", "script", "agreement"]

BEHIND_LIMIT = 0.15
_FEWEST_PAIRS = 20
_LOOKED_AT_CHARS = 1000
_MOST_TURNS = 4


@dataclass(frozen=True, slots=True)
class Slice:
    """The judged pairs that have something in common.

    Attributes:
        dimension: `turns` of the user, `length` of the longer answer, `script` of the writing, `agreement` of the
            raters.
        name: Which ones: `2 turns`, `up to 312 characters`.
        accuracy: On them.
        rest: On all others.
    """

    dimension: Dimension
    name: str
    accuracy: Estimate
    rest: Estimate


def measure_slices(heldout: Sequence[Preference], rows: Observations, *, seed: int) -> tuple[Slice, ...]:
    """Every slice of every dimension that has at least two of them.

    Args:
        rows: The pairs of `heldout`.
    """
    judged = rows.where(rows.judged)
    named: dict[Dimension, list[str]] = {
        "turns": [_turns(heldout[int(place)]) for place in judged.preference],
        "length": _length_bins(np.maximum(judged.chosen_length, judged.rejected_length)),
        "script": [_script(heldout[int(place)]) for place in judged.preference],
        "agreement": [_agreement(share) for share in judged.agreement],
    }
    return tuple(
        one for dimension, names in named.items() for one in _slices(dimension, np.array(names), judged, seed=seed)
    )


def slice_findings(slices: Sequence[Slice]) -> list[Finding]:
    """`slice.<dimension>` a dimension, about its weakest slice that has pairs enough."""
    dimensions: dict[Dimension, None] = dict.fromkeys(one.dimension for one in slices)
    return [
        found
        for dimension in dimensions
        for found in _finding(dimension, [one for one in slices if one.dimension == dimension])
    ]


def _slices(dimension: Dimension, names: np.ndarray, rows: Observations, *, seed: int) -> list[Slice]:
    distinct = [name for name in dict.fromkeys(sorted(names.tolist(), key=_order)) if name]
    if len(distinct) < 2:
        return []
    return [
        Slice(
            dimension,
            name,
            share_right(rows.where(names == name), seed=seed),
            share_right(rows.where(names != name), seed=seed),
        )
        for name in distinct
    ]


def _finding(dimension: Dimension, slices: list[Slice]) -> list[Finding]:
    enough = [one for one in slices if min(one.accuracy.n, one.rest.n) >= _FEWEST_PAIRS]
    if not enough:
        return []
    if dimension == "agreement":
        return [_below_chance(enough)]
    weakest = min(enough, key=lambda one: one.accuracy.value - one.rest.value)
    behind = independent_difference(weakest.accuracy, weakest.rest)
    p_value = min(1.0, len(enough) * interval_p_value(behind, null=0.0, alternative="less"))
    measured = (
        f"Weakest by {dimension}: {weakest.name}, {percent(weakest.accuracy)} of {weakest.accuracy.n} pairs against "
        f"{percent(weakest.rest)} of the others"
    )
    alarm = behind.value < -BEHIND_LIMIT
    summary = f"{measured}: the pooled figure does not hold there." if alarm else f"{measured}."
    severity: Severity = "warning" if alarm else "info"
    name = f"slice.{dimension}"
    return [Finding(name, behind, severity, summary, limit=-BEHIND_LIMIT, p_value=p_value, unit="accuracy")]


def _below_chance(slices: list[Slice]) -> Finding:
    """Where raters differ, accuracy is lower for the best of models; only below one half something is wrong."""
    weakest = min(slices, key=lambda one: one.accuracy.value)
    p_value = min(1.0, len(slices) * interval_p_value(weakest.accuracy, null=0.5, alternative="less"))
    summary = f"Weakest by agreement of the raters: {weakest.name}, {percent(weakest.accuracy)} of the pairs."
    severity: Severity = "warning" if weakest.accuracy.value < 0.5 else "info"
    return Finding("slice.agreement", weakest.accuracy, severity, summary, limit=0.5, p_value=p_value, unit="accuracy")


def _turns(preference: Preference) -> str:
    turns = sum(role == "user" for role, _ in preference.prompt)
    if turns >= _MOST_TURNS:
        return f"{_MOST_TURNS} or more turns of the user"
    return f"{turns} turn{'' if turns == 1 else 's'} of the user"


def _length_bins(lengths: np.ndarray) -> list[str]:
    """Quarters by the number of characters of the longer answer."""
    if not len(lengths):
        return []
    edges = np.unique(np.quantile(lengths, [0.25, 0.5, 0.75]).round().astype(np.int64))
    names = [f"up to {edges[0]:,} characters"]
    names += [f"{low + 1:,} to {high:,} characters" for low, high in pairwise(edges.tolist())]
    names.append(f"from {edges[-1] + 1:,} characters")
    return [names[int(place)] for place in np.searchsorted(edges, lengths, side="left")]


def _script(preference: Preference) -> str:
    """The writing system of most letters in the prompt's last turn, or in the first answer where there is no prompt."""
    turns = preference.prompt or preference.responses[0]
    letters = [character for character in turns[-1].content[:_LOOKED_AT_CHARS] if character.isalpha()]
    systems = Counter(unicodedata.name(character, "other").partition(" ")[0].title() for character in letters)
    return f"{systems.most_common(1)[0][0]} script" if systems else ""


def _agreement(share: float) -> str:
    if np.isnan(share):
        return ""
    if share == 1:
        return "all raters agree"
    return "at least two thirds agree" if share >= 2 / 3 else "fewer than two thirds agree"


def _order(name: str) -> tuple[int, str]:
    """`up to 99` before `100 to 2,000` before `from 2,001`; others by name."""
    digits = "".join(character for character in name.partition(" to ")[0] if character.isdigit())
    first = 0 if name.startswith("up to") else int(digits or 0)
    return first, name
