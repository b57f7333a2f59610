"""What a step model is worth on some traces: everything from one pass, sums before divisions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from rewardsmith.numerics.steps import (
    NO_ERROR,
    first_error_credits,
    first_error_f1,
    fit_threshold,
    locate_first_error,
    probabilities_of,
    step_auroc,
    step_credits,
    step_losses,
)
from rewardsmith.preferences.steps.trace import StepTrace, first_error
from rewardsmith.training.steps.dataset import Targets

Logits = Sequence[Float32[np.ndarray, " step"]]

_DEFAULT_THRESHOLD = 0.5


def step_figures(
    logits: Logits, targets: Sequence[Targets], traces: Sequence[StepTrace], *, threshold: float
) -> dict[str, float]:
    """Loss, accuracy and AUROC over all labelled steps, and how well the first error of a trace is found.

    The loss is the plain one, without label smoothing. `first_error_*` are over the traces with a judged step:
    accuracies on those with an error and on those without, and their harmonic mean (ProcessBench). NaN where there is
    nothing to divide by.
    """
    flat, wanted = np.concatenate(logits), np.concatenate(targets)
    losses, credits = step_losses(flat, wanted), step_credits(flat, wanted)
    judged = [(each, gold) for each, trace in zip(logits, traces, strict=True) if (gold := _gold(trace)) is not None]
    places = [locate_first_error(probabilities_of(each), threshold) for each, _ in judged]
    gold = np.array([each for _, each in judged], np.int64)
    found = first_error_credits(places, gold.tolist())
    return {
        "loss": _mean(losses),
        "accuracy": _mean(credits),
        "auroc": step_auroc(flat, wanted),
        "labelled_steps": len(losses),
        "right_share": _mean(wanted[~np.isnan(wanted)]),
        "first_error_f1": first_error_f1(places, gold.tolist()),
        "first_error_accuracy_erroneous": _mean(found[gold != NO_ERROR]),
        "first_error_accuracy_correct": _mean(found[gold == NO_ERROR]),
        "first_error_traces": len(judged),
    }


def error_threshold(logits: Logits, traces: Sequence[StepTrace]) -> float:
    """The threshold below which a step counts as wrong, fitted on these traces; ½ where no step of them was judged."""
    judged = [(each, gold) for each, trace in zip(logits, traces, strict=True) if (gold := _gold(trace)) is not None]
    if not judged:
        return _DEFAULT_THRESHOLD
    return fit_threshold([probabilities_of(each) for each, _ in judged], [gold for _, gold in judged])


def _gold(trace: StepTrace) -> int | None:
    return first_error(trace.labels)


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else math.nan
