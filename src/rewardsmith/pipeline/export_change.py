"""What an export, or another arithmetic, changes of a model's rewards and of the order that they give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rewardsmith.audit.observations import Rewards, observe
from rewardsmith.core.finding import Estimate
from rewardsmith.core.preference import Preference
from rewardsmith.numerics.intervals import paired_difference, share_bootstrap
from rewardsmith.numerics.ranking import pair_accuracy


@dataclass(frozen=True, slots=True)
class Change:
    """Rewards after against rewards before, of the same conversations.

    Attributes:
        reward_sd: Standard deviation of the rewards before, over distinct conversations: the unit of the errors.
        max_error_sd: Largest |after − before|.
        mean_error_sd: Mean |after − before|.
        flips: Share of the pairs whose order is another one; a tie on one side only counts as one. All pairs, whatever
            raters say of them. The interval resamples prompt groups.
        accuracy_before: Share of the pairs that the model orders as the raters did; ties count half.
        accuracy_after: Likewise.
        accuracy_change: After minus before, paired.
        conversations: Distinct ones.
        unscored: Of these, after gives no finite reward where before does. They are left out of the other figures.
    """

    reward_sd: float
    max_error_sd: float
    mean_error_sd: float
    flips: Estimate
    accuracy_before: Estimate
    accuracy_after: Estimate
    accuracy_change: Estimate
    conversations: int
    unscored: int


def change_of(preferences: Sequence[Preference], before: Rewards, after: Rewards, *, seed: int = 0) -> Change:
    """How `after` differs from `before` on `preferences`."""
    conversations = list(before.by_conversation)
    old = np.array([before[each] for each in conversations])
    new = np.array([after[each] for each in conversations])
    both = np.isfinite(old) & np.isfinite(new)
    spread = float(old[both].std()) if both.any() else float("nan")
    errors = np.abs(new[both] - old[both]) / (spread or 1.0)
    rows, again = observe(preferences, before), observe(preferences, after)
    ordered = np.isfinite(rows.margin) & np.isfinite(again.margin)
    flipped = np.sign(rows.margin[ordered]) != np.sign(again.margin[ordered])
    judged = rows.judged & again.judged
    credits = [pair_accuracy(each.margin[judged]) for each in (rows, again)]
    groups = rows.group[judged]
    return Change(
        reward_sd=spread,
        max_error_sd=float(errors.max(initial=0.0)),
        mean_error_sd=float(errors.mean()) if len(errors) else float("nan"),
        flips=share_bootstrap(flipped.astype(np.float64), rows.group[ordered], seed=seed),
        accuracy_before=share_bootstrap(credits[0], groups, seed=seed),
        accuracy_after=share_bootstrap(credits[1], groups, seed=seed),
        accuracy_change=paired_difference(credits[1], credits[0], groups, seed=seed),
        conversations=len(conversations),
        unscored=int((np.isfinite(old) & ~np.isfinite(new)).sum()),
    )
