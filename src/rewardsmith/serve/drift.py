"""Do the rewards that are served look like those that the model was judged by?

The reference is what the evaluation or the audit beside the model scored, of the same weights; where there is none, the
first scores that were served. Against it stands a window of the latest scores.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
from jaxtyping import Float32

from rewardsmith.numerics.two_samples import ks_critical, ks_distance
from rewardsmith.serve.beside import artefacts_beside

logger = logging.getLogger(__name__)

SCORED_KINDS = ("evaluation", "audit")
SCORES_NAME = "scores.jsonl"

_WINDOW = 2000
_FEWEST = 200
_FIRST = 1000
_LEAST_LIMIT = 0.1
_ALPHA = 0.001


@dataclass(frozen=True, slots=True)
class Reference:
    """Rewards to compare with.

    Attributes:
        rewards: Of the conversations that the model was judged by.
        source: Kind of the artefact that they stand in, or `first served`.
    """

    rewards: Float32[np.ndarray, " item"]
    source: str


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the latest rewards lie from the reference.

    Attributes:
        distance: Kolmogorov–Smirnov distance of the two; absent while there are too few of either.
        limit: Above it the rewards have drifted: 0.1, or more where that much is found by accident (1 of 1,000).
        n: Rewards in the window.
        n_reference: Rewards in the reference.
        source: Where the reference is from.
    """

    distance: float | None
    limit: float
    n: int
    n_reference: int
    source: str

    @property
    def has_drifted(self) -> bool:
        """Whether somebody should look."""
        return self.distance is not None and self.distance > self.limit


class DriftMonitor:
    """The latest rewards of one model beside its reference.

    The texts of one prompt are not independent, so the limit is never below a distance that matters: a tenth of all
    texts on the other side of some reward.

    Args:
        reference: Absent where the model was judged nowhere that is known; then the first `first` rewards are it.
        window: Latest rewards that are kept.
        fewest: Rewards in the window below which nothing is said.
    """

    def __init__(
        self, reference: Reference | None, *, window: int = _WINDOW, fewest: int = _FEWEST, first: int = _FIRST
    ) -> None:
        self._reference = reference
        self._window: deque[float] = deque(maxlen=window)
        self._fewest = fewest
        self._first = first
        self._early: list[float] = []

    def add(self, rewards: Iterable[float]) -> None:
        """Rewards that were just served."""
        for reward in rewards:
            if self._reference is None:
                self._early.append(reward)
                if len(self._early) == self._first:
                    self._reference = Reference(np.array(self._early, dtype=np.float32), "first served")
                    self._early = []
            else:
                self._window.append(reward)

    def drift(self) -> Drift:
        """How things stand."""
        if self._reference is None:
            return Drift(None, _LEAST_LIMIT, 0, len(self._early), "first served")
        n, n_reference = len(self._window), len(self._reference.rewards)
        if n < self._fewest:
            return Drift(None, _LEAST_LIMIT, n, n_reference, self._reference.source)
        distance = ks_distance(self._reference.rewards.astype(np.float64), np.array(self._window))
        limit = max(_LEAST_LIMIT, ks_critical(n, n_reference, alpha=_ALPHA))
        return Drift(distance, limit, n, n_reference, self._reference.source)


def load_reference(model: str | Path, digest: str) -> Reference | None:
    """The rewards that an evaluation, else an audit, of these weights left beside the model; `None` without one.

    Both answers of every pair count, each answer once. A file that cannot be read is told in the log and left alone:
    a server does not fail for want of a comparison.

    Args:
        digest: Of the weights (`Provenance.model_digest`).
    """
    for kind in SCORED_KINDS:
        for folder, _ in artefacts_beside(model, (kind,), digest=digest):
            try:
                rewards = _rewards(folder / SCORES_NAME)
            except (OSError, ValueError, KeyError, TypeError) as error:
                logger.warning("no reference for drift in %s: %s", folder, type(error).__name__)
                continue
            if len(rewards) >= _FEWEST:
                return Reference(rewards, kind)
    return None


def _rewards(path: Path) -> Float32[np.ndarray, " item"]:
    found: dict[tuple[str, int], float] = {}
    with path.open("rb") as lines:
        for line in lines:
            pair = orjson.loads(line)
            for side in ("chosen", "rejected"):
                reward = pair[f"{side}_reward"]
                if reward is not None:
                    found[pair["id"], pair[side]] = reward
    return np.array(list(found.values()), dtype=np.float32)
