"""The same scorer under another rule for conversations that are too long."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, TypeVar

from rewardsmith.scoring.limits import Overlength

S = TypeVar("S")

_PARTS = ("_values", "_features", "base", "members", "questioner")
"""Where the scorers of this package keep what obeys the rule. The models of a prior are not among them: they keep the
rule that they had in training."""


def with_overlength(scorer: S, overlength: Overlength) -> S:
    """`scorer` under another rule; weights and what is remembered are shared, and `n_truncated` counts by itself."""
    other = copy.copy(scorer)
    for name, value in vars(scorer).items():
        if name == "overlength":
            setattr(other, name, overlength)
        elif name in _PARTS:
            setattr(other, name, _part(value, overlength))
    return other


def _part(part: Any, overlength: Overlength) -> Any:
    match part:
        case Mapping():
            return {name: with_overlength(each, overlength) for name, each in part.items()}
        case tuple() | list():
            return type(part)(with_overlength(each, overlength) for each in part)
        case _:
            return with_overlength(part, overlength)
