"""Does the reward put the preferred response first?"""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from sklearn.metrics import roc_auc_score

from rewardsmith.core.errors import DataError
from rewardsmith.core.finding import Estimate
from rewardsmith.numerics.intervals import Groups, share_bootstrap

TieRule = Literal["half", "loss", "drop"]
"""What a margin of exactly 0 is worth.

`half`: credit .5, as a coin would earn. `loss`: credit 0, as RewardBench counts it (a win is r⁺ > r⁻).
`drop`: no credit (NaN): the pair is left out.
"""


def pair_accuracy(margins: Float[np.ndarray, " pair"], *, ties: TieRule = "half") -> Float[np.ndarray, " pair"]:
    """The credit of each pair: 1 where the margin r⁺ − r⁻ is above 0, 0 where it is below, by `ties` where it is 0.

    Credits stay in the order of the pairs, so that they can be resampled by group or compared with the credits
    of another model on the same pairs.

    Raises:
        DataError: A margin is NaN, or the rule is unknown.
    """
    worth = {"half": 0.5, "loss": 0.0, "drop": np.nan}
    if ties not in worth:
        raise DataError("unknown rule for ties", wanted=f"one of {', '.join(worth)}", got=ties)
    if np.isnan(margins).any():
        where = int(np.flatnonzero(np.isnan(margins))[0])
        raise DataError("NaN margin", where=f"pair {where}", fix="leave pairs without a score out")
    return np.where(margins > 0, 1.0, np.where(margins < 0, 0.0, worth[ties]))


def accuracy(
    margins: Float[np.ndarray, " pair"], groups: Groups, *, ties: TieRule = "half", draws: int = 2000, seed: int = 0
) -> Estimate:
    """Mean credit of the pairs, with its interval over prompt groups."""
    credits = pair_accuracy(margins, ties=ties)
    kept = ~np.isnan(credits)
    return share_bootstrap(credits[kept], np.asarray(groups)[kept], draws=draws, seed=seed)


def auc(scores: Float[np.ndarray, " item"], labels: Bool[np.ndarray, " item"]) -> float:
    """P(a positive item scores above a negative one), ties counted half; NaN unless both kinds are there."""
    if labels.all() or not labels.any():
        return float("nan")
    return float(roc_auc_score(labels, scores))
