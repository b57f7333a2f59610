"""Training and held-out sides, by the hash of the prompt group alone.

A group's side depends on nothing but its own name and the salt, so it never changes when data are added.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, UInt64

from rewardsmith.core.errors import DataError


def heldout_mask(group_hashes: UInt64[np.ndarray, " row"], share: float) -> Bool[np.ndarray, " row"]:
    """True where hash / 2^64 < share."""
    # Compared as integers: a float64 could not tell neighbouring hashes apart. A share of 1 is not allowed.
    return group_hashes < np.uint64(int(share * 2**64))


def require_both_sides(heldout: Bool[np.ndarray, " row"], groups: UInt64[np.ndarray, " row"], *, share: float) -> None:
    """Refuse a split that has nothing to train on, or nothing to evaluate on.

    Raises:
        DataError: Nothing was kept, or all of it stands on one side.
    """
    if len(heldout) == 0:
        raise DataError(
            "no preference is left after the checks", wanted="at least one", got=0, fix="see the reasons: data check"
        )
    if heldout.all() or not heldout.any():
        side, other = ("held-out", "training") if heldout.all() else ("training", "held-out")
        count = len(np.unique(groups))
        raise DataError(
            f"all {len(heldout)} preferences fall on the {side} side, none on the {other} side",
            wanted="prompt groups on both sides",
            got=f"{count} prompt group{'s' if count != 1 else ''}, data.heldout_share={share}",
            fix="too few groups: add data with other prompts, or change data.heldout_share or data.split_salt",
        )
