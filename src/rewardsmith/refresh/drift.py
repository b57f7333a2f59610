"""Does what is asked now look like what the incumbent was judged on? In its rewards, and in the texts themselves.

Each measure is a Kolmogorov–Smirnov distance, held against the limit of `serve.drift`: a tenth of all texts on the
other side of some value, or more where that much is found by accident.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rewardsmith.core.conversation import Conversation, response_text
from rewardsmith.serve.drift import Drift, DriftMonitor, Reference

_FEWEST = 50
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Side:
    """Texts on one side of the comparison.

    Attributes:
        conversations: What was scored.
        rewards: One a conversation; NaN where there is none.
        spread: Of an ensemble: how far its members lie apart.
        features: What the model's last layer reads; absent where it shows nothing.
    """

    conversations: Sequence[Conversation]
    rewards: Float64[np.ndarray, " item"]
    spread: Float64[np.ndarray, " item"] | None = None
    features: Float[np.ndarray, "item hidden"] | None = None


def measure_drift(live: Side, reference: Side, *, source: str, seed: int = 0) -> dict[str, Drift]:
    """How far the live texts lie from the reference, by measure.

    `reward`, and of ensembles `spread`; `prompt_length` and `response_length` in characters; `inputs`: of the best line
    through the model's features that tells the two sides apart, found on some texts and read on others.

    Args:
        source: Where the reference is from.
    """
    measures = {
        "reward": (live.rewards, reference.rewards),
        "prompt_length": (_prompt_lengths(live), _prompt_lengths(reference)),
        "response_length": (_response_lengths(live), _response_lengths(reference)),
    }
    if live.spread is not None and reference.spread is not None:
        measures["spread"] = (live.spread, reference.spread)
    if live.features is not None and reference.features is not None and _are_enough(live, reference):
        measures["inputs"] = told_apart(live.features, reference.features, seed=seed)
    return {name: _drift(now, then, source=source) for name, (now, then) in measures.items()}


def told_apart(
    live: Float[np.ndarray, "item hidden"], reference: Float[np.ndarray, "other hidden"], *, seed: int = 0
) -> tuple[Float64[np.ndarray, " item"], Float64[np.ndarray, " other"]]:
    """Of each text the score of a classifier, fitted without it, that tells live ones from the reference.

    Where the sides are alike it learns nothing that holds on others, and the scores lie alike too (the classifier
    two-sample test of Lopez-Paz & Oquab 2017, arXiv:1610.06545). Log-odds, less their mean within a fold, since each
    fold has its own classifier.
    """
    features = np.vstack([live, reference]).astype(np.float64)
    is_live = np.arange(len(features)) < len(live)
    rng = np.random.default_rng(seed)
    fold = np.empty(len(features), dtype=np.int64)
    for side in (is_live, ~is_live):
        fold[side] = rng.permutation(int(side.sum())) % _FOLDS
    scores = np.empty(len(features))
    for number in range(_FOLDS):
        here = fold == number
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=500))
        model.fit(features[~here], is_live[~here])
        found = model.decision_function(features[here])
        scores[here] = found - found.mean()
    return scores[is_live], scores[~is_live]


def drift_json(drifts: Mapping[str, Drift]) -> dict[str, object]:
    """As JSON values: each measure, and the names of those that have drifted."""
    return {
        "measures": {
            name: {
                "distance": None if drift.distance is None else round(drift.distance, 4),
                "limit": round(drift.limit, 4),
                "n": drift.n,
                "n_reference": drift.n_reference,
                "source": drift.source,
                "has_drifted": drift.has_drifted,
            }
            for name, drift in drifts.items()
        },
        "drifted": [name for name, drift in drifts.items() if drift.has_drifted],
    }


def _drift(live: Float64[np.ndarray, " item"], reference: Float64[np.ndarray, " other"], *, source: str) -> Drift:
    now, then = live[np.isfinite(live)], reference[np.isfinite(reference)]
    if len(then) < _FEWEST:
        # The monitor would take the first live ones for the reference.
        return Drift(None, 0.1, len(now), len(then), source)
    monitor = DriftMonitor(Reference(then.astype(np.float32), source), window=max(1, len(now)), fewest=_FEWEST)
    monitor.add(now.astype(np.float32).tolist())
    return monitor.drift()


def _are_enough(live: Side, reference: Side) -> bool:
    return min(len(live.conversations), len(reference.conversations)) >= _FEWEST


def _prompt_lengths(side: Side) -> Float64[np.ndarray, " item"]:
    lengths = [sum(len(turn.content) for turn in each[:-1]) for each in side.conversations]
    return np.array(lengths, dtype=np.float64)


def _response_lengths(side: Side) -> Float64[np.ndarray, " item"]:
    return np.array([len(response_text(each)) for each in side.conversations], dtype=np.float64)
