"""Does the reward put the preferred response first?"""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float

from rewardsmith.core.errors import DataError

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
