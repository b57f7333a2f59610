"""How a scorer is to be loaded: one set of options for every family, handed on to the members of a family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rewardsmith.scoring.engine import Precision
from rewardsmith.scoring.limits import Overlength


@dataclass(frozen=True, slots=True)
class ScoringOptions:
    """Options of `load_scorer`.

    Attributes:
        engine: `fast` is fast; `reference` scores one conversation at a time in float32.
        device: `cpu`, `cuda`, …; the GPU where there is one, if absent.
        max_tokens: Longest conversation; what the model was trained on, else what it can take, if absent.
        overlength: What happens to longer conversations.
        token_budget: Budget of one batch (fast).
        precision: See `FastScorer` (fast).
        cache: Folder that keeps rewards for later processes (fast).
        weights: Attribute → weight, in the place of the model's own (multi-attribute models).
    """

    engine: Literal["fast", "reference"] = "fast"
    device: str | None = None
    max_tokens: int | None = None
    overlength: Overlength = "raise"
    token_budget: int | None = None
    precision: Precision = "float32"
    cache: str | Path | None = None
    weights: Mapping[str, float] | None = None
