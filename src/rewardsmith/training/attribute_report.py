"""How well do attribute heads predict ratings that they have not seen? Beside it, what length alone says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from rewardsmith.core.conversation import Conversation, response_text
from rewardsmith.core.finding import Estimate
from rewardsmith.numerics.association import spearman
from rewardsmith.numerics.intervals import group_bootstrap
from rewardsmith.numerics.ranking import pair_accuracy
from rewardsmith.numerics.regression import r_squared
from rewardsmith.preferences.ratings.rating import Rating

_DRAWS = 1000


def attribute_report(
    names: Sequence[str],
    ratings: Sequence[Rating],
    *,
    predicted: Float64[np.ndarray, "attribute rating"],
    targets: Float64[np.ndarray, "rating attribute"],
) -> dict[str, dict[str, Any]]:
    """Of each attribute: R², Spearman's correlation, that of the response's length, and the accuracy within prompts.

    All with n and 95% intervals over prompt groups, over the ratings that have a target. The accuracy is that of all
    pairs of responses to one prompt of one source whose ratings differ; it says what the others cannot: whether the
    head tells answers to one prompt apart.
    """
    lengths = np.array([len(response_text(each.response)) for each in ratings], np.float64)
    groups = np.array([each.group for each in ratings], dtype=object)
    report: dict[str, dict[str, Any]] = {}
    for number, name in enumerate(names):
        known = np.flatnonzero(np.isfinite(targets[:, number]))
        y, p = targets[known, number], predicted[number, known]
        report[name] = {
            "r_squared": _json(r_squared(p, y, groups[known], draws=_DRAWS)),
            "spearman": _json(spearman(p, y, groups[known], draws=_DRAWS)),
            "spearman_of_length": _json(spearman(lengths[known], y, groups[known], draws=_DRAWS)),
            "accuracy_within_prompts": _json(
                within_prompts([ratings[row] for row in known.tolist()], predicted=p, targets=y)
            ),
        }
    return report


def within_prompts(
    ratings: Sequence[Rating], *, predicted: Float64[np.ndarray, " rating"], targets: Float64[np.ndarray, " rating"]
) -> Estimate:
    """Share of the pairs of one prompt and source that the prediction orders as the ratings do; equal ratings aside."""
    first, second = _pairs(ratings)
    gaps = targets[first] - targets[second]
    differ = gaps != 0
    margins = ((predicted[first] - predicted[second]) * np.sign(gaps))[differ]
    groups = [ratings[row].group for row in first[differ].tolist()]
    return group_bootstrap(pair_accuracy(margins), groups, draws=_DRAWS)


def _pairs(ratings: Sequence[Rating]) -> tuple[Int64[np.ndarray, " pair"], Int64[np.ndarray, " pair"]]:
    rows: dict[tuple[str, Conversation], list[int]] = {}
    for row, each in enumerate(ratings):
        rows.setdefault((each.source, each.prompt), []).append(row)
    pairs = [pair for some in rows.values() for pair in combinations(some, 2)]
    table = np.array(pairs, np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _json(estimate: Estimate) -> Mapping[str, float | int | None]:
    """JSON has no NaN."""
    return {
        key: None if isinstance(value, float) and np.isnan(value) else value for key, value in asdict(estimate).items()
    }
