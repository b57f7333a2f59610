"""How many pairs does a claim need?"""

from __future__ import annotations

import numpy as np
from scipy import stats

from rewardsmith.core.errors import SettingsError

_MOST_PAIRS = 10_000_000


def pairs_needed(p: float, p0: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """Pairs needed to show that accuracy `p` is above the bar `p0`, one-sided, by the exact binomial test.

    At level `alpha` that test rejects where k ≥ c, c the smallest count with P(K ≥ c | p0) ≤ alpha; its power is
    P(K ≥ c | p). The power of an exact test goes up and down with n like a saw; the answer is the smallest n from
    which on it no longer falls below `power`. It assumes one pair a prompt; with more pairs a prompt, more are needed.

    Raises:
        SettingsError: `p` is not above `p0`, or a share is not between 0 and 1.
    """
    if not (0 < p0 < p < 1 and 0 < alpha < 1 and 0 < power < 1):
        raise SettingsError("no such sample size", wanted="0 < p0 < p < 1", got=f"p={p}, p0={p0}, {alpha=}, {power=}")
    normal = stats.norm.isf(alpha) * np.sqrt(p0 * (1 - p0)) + stats.norm.isf(1 - power) * np.sqrt(p * (1 - p))
    guess = (normal / (p - p0)) ** 2
    # The exact answer lies within the continuity correction's distance, about 1/(p − p0); the range is far wider.
    slack = 6 / (p - p0) + 30
    if guess + slack > _MOST_PAIRS:
        raise SettingsError("too many pairs to count", wanted=f"at most {_MOST_PAIRS}", got=int(guess))
    sizes = np.arange(max(1, int(guess - slack)), int(guess + slack))
    critical = stats.binom.isf(alpha, sizes, p0) + 1
    enough = stats.binom.sf(critical - 1, sizes, p) >= power
    too_few = np.flatnonzero(~enough)
    return int(sizes[too_few[-1] + 1]) if len(too_few) else int(sizes[0])
