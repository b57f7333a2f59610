"""Steps of a solution: one score from many, where the first error is, and how often that is found.

Everything takes logits z of the steps, p = σ(z) the probability that a step is right, and labels y: 1, 0, or NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64, Int64
from scipy.special import expit, log_expit

from rewardsmith.core.errors import DataError
from rewardsmith.numerics.abstention import auroc

Aggregation = Literal["product", "minimum", "last"]

NO_ERROR = -1
"""Place of the first error in a solution without one, as ProcessBench writes it."""

_MOST_THRESHOLDS = 512
Logits = Sequence[Float[np.ndarray, "..."]]
"""One array a solution, of its steps."""


def aggregate(logits: Float[np.ndarray, " step"], how: Aggregation) -> float:
    """One score of a solution; its order is that of Π p, min p or p of the last step (Lightman 2023, arXiv:2305.20050).

    - `product`: Σ log p = log Π p, at most 0. More steps can only lower it.
    - `minimum`: min z, the logit of min p.
    - `last`: z of the last step.

    NaN (a step that was not read) is left out.

    Raises:
        DataError: No step was read, or the aggregation is unknown.
    """
    known = np.asarray(logits, np.float64)
    known = known[~np.isnan(known)]
    if not len(known):
        raise DataError("no step to aggregate", wanted="at least one")
    match how:
        case "product":
            return float(log_expit(known).sum())
        case "minimum":
            return float(known.min())
        case "last":
            return float(known[-1])
        case other:
            raise DataError("unknown aggregation", wanted="product, minimum or last", got=other)


def locate_first_error(probabilities: Float[np.ndarray, " step"], threshold: float) -> int:
    """Number of the first step, from 0, whose probability is below `threshold`; `NO_ERROR` if none is."""
    below = np.flatnonzero(np.asarray(probabilities) < threshold)
    return int(below[0]) if len(below) else NO_ERROR


def first_error_credits(predicted: Sequence[int], gold: Sequence[int]) -> Float64[np.ndarray, " trace"]:
    """1 where the place of the first error (or that there is none) is exactly right, else 0."""
    if len(predicted) != len(gold):
        raise DataError("predictions and labels differ in length", wanted=f"{len(gold)}", got=len(predicted))
    return (np.asarray(predicted, np.int64) == np.asarray(gold, np.int64)).astype(np.float64)


def first_error_f1(predicted: Sequence[int], gold: Sequence[int]) -> float:
    """Harmonic mean of the accuracies on solutions with an error and on those without (ProcessBench, arXiv:2412.06559).

    2·a·b / (a + b); 0 where both are 0, so that neither "always wrong" nor "always right" has any. NaN where one of
    the two kinds is not there.
    """
    credits, has_error = first_error_credits(predicted, gold), np.asarray(gold) != NO_ERROR
    if not has_error.any() or has_error.all():
        return float("nan")
    a, b = float(credits[has_error].mean()), float(credits[~has_error].mean())
    return 2 * a * b / (a + b) if a + b else 0.0


def fit_threshold(probabilities: Logits, gold: Sequence[int]) -> float:
    """The threshold of `locate_first_error` with the highest `first_error_f1` on these solutions.

    Sought halfway between neighbouring probabilities (of more than 512, their quantiles); of equals the lowest. Where
    one kind of solution is missing, and F1 with it, the plain accuracy is maximised. To be fitted on training traces:
    on those that it is then judged by it would flatter.

    Raises:
        DataError: There is no solution.
    """
    if not len(gold):
        raise DataError("no solution to fit a threshold on", wanted="training traces with judged steps")
    table = _padded(probabilities)
    has_error = np.asarray(gold) != NO_ERROR
    is_mixed = has_error.any() and not has_error.all()
    best, best_value = 0.5, -1.0
    for threshold in _thresholds(np.unique(np.concatenate([np.asarray(each, np.float64) for each in probabilities]))):
        predicted = _first_below(table, threshold).tolist()
        value = first_error_f1(predicted, gold) if is_mixed else float(first_error_credits(predicted, gold).mean())
        if value > best_value:
            best, best_value = threshold, value
    return best


def step_accuracy(logits: Float[np.ndarray, " step"], labels: Float[np.ndarray, " step"]) -> float:
    """Share of labelled steps whose side of p = ½ is the label's; p = ½ itself counts one half. NaN without labels."""
    credits = step_credits(logits, labels)
    return float(credits.mean()) if len(credits) else float("nan")


def step_credits(
    logits: Float[np.ndarray, " step"], labels: Float[np.ndarray, " step"]
) -> Float64[np.ndarray, " labelled"]:
    """1, ½ or 0 for each labelled step, in order; unlabelled ones are left out."""
    known = ~np.isnan(labels)
    toward = np.asarray(logits, np.float64)[known] * np.sign(np.asarray(labels, np.float64)[known] - 0.5)
    return 0.5 * (np.sign(toward) + 1.0)


def step_losses(
    logits: Float[np.ndarray, " step"], labels: Float[np.ndarray, " step"]
) -> Float64[np.ndarray, " labelled"]:
    """−log p of each labelled step's own label, in nats."""
    known = ~np.isnan(labels)
    z, y = np.asarray(logits, np.float64)[known], np.asarray(labels, np.float64)[known]
    return -(y * log_expit(z) + (1 - y) * log_expit(-z))


def step_auroc(logits: Float[np.ndarray, " step"], labels: Float[np.ndarray, " step"]) -> float:
    """Chance that a wrong step has a lower logit than a right one, ties one half; NaN where one kind is missing."""
    known = ~np.isnan(labels)
    return auroc(-np.asarray(logits, np.float64)[known], np.asarray(labels)[known] < 0.5)


def probabilities_of(logits: Float[np.ndarray, " step"]) -> Float[np.ndarray, " step"]:
    """σ(z)."""
    return expit(logits)


def _thresholds(values: Float64[np.ndarray, " value"]) -> list[float]:
    """Below all values, between each two, and above all."""
    if len(values) > _MOST_THRESHOLDS:
        values = np.unique(np.quantile(values, np.linspace(0, 1, _MOST_THRESHOLDS)))
    between = (values[1:] + values[:-1]) / 2
    return [float(values[0]) / 2, *between.tolist(), (float(values[-1]) + 1) / 2]


def _padded(probabilities: Logits) -> Float64[np.ndarray, "trace step"]:
    """A rectangle; nothing is below what fills it."""
    table = np.full((len(probabilities), max(map(len, probabilities))), np.inf)
    for row, each in zip(table, probabilities, strict=True):
        row[: len(each)] = each
    return table


def _first_below(table: Float64[np.ndarray, "trace step"], threshold: float) -> Int64[np.ndarray, " trace"]:
    below = table < threshold
    return np.where(below.any(axis=1), below.argmax(axis=1), NO_ERROR).astype(np.int64)
