"""The train–held-out gap: how much of what the model knows about its training pairs carries over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.heldout.accuracy import percent
from rewardsmith.core.finding import Estimate, Finding
from rewardsmith.core.preference import Preference
from rewardsmith.numerics.difference import independent_difference
from rewardsmith.numerics.testing import interval_p_value

GAP_LIMIT = 0.1


@dataclass(frozen=True, slots=True)
class Gap:
    """Accuracy on training pairs beside that on held-out ones.

    Attributes:
        train: Accuracy on a sample of training preferences, as many as there are held-out ones.
        difference: Training accuracy minus held-out accuracy.
    """

    train: Estimate
    difference: Estimate


def sample_preferences(preferences: Sequence[Preference], size: int, *, seed: int) -> list[Preference]:
    """At most `size` of them, drawn without replacement, in their own order."""
    if len(preferences) <= size:
        return list(preferences)
    drawn = np.random.default_rng(seed).choice(len(preferences), size=size, replace=False)
    return [preferences[int(index)] for index in np.sort(drawn)]


def measure_gap(train: Estimate, heldout: Estimate) -> Gap:
    """Training accuracy beside held-out accuracy."""
    return Gap(train, independent_difference(train, heldout))


def gap_findings(gap: Gap | Absent) -> list[Finding]:
    """`gap.train_heldout`, where there was training data."""
    if isinstance(gap, Absent):
        return []
    difference = gap.difference
    p_value = interval_p_value(difference, null=0.0, alternative="greater")
    measured = (
        f"{percent(gap.train)} on as many training pairs: {100 * difference.value:+.1f} points "
        f"[{100 * difference.low:+.1f}, {100 * difference.high:+.1f}] over the held-out accuracy"
    )
    if difference.value > GAP_LIMIT and difference.low > 0:
        summary = f"{measured}. The model has learnt its training pairs by heart in part: fewer epochs, or more pairs."
        return [Finding("gap.train_heldout", difference, "warning", summary, limit=GAP_LIMIT, p_value=p_value)]
    return [Finding("gap.train_heldout", difference, "info", f"{measured}.", limit=GAP_LIMIT, p_value=p_value)]
