"""A bootstrap of a training set: as many prompt groups as there are, drawn with replacement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from rewardsmith.preferences.table import PreferenceTable


def bootstrap_rows(groups: Sequence[str], *, seed: int) -> Int64[np.ndarray, " drawn"]:
    """Numbers of the preferences of the drawn groups, ascending, each as often as its group was drawn.

    About 63% of the groups are drawn, some of them several times. Groups are numbered by name, so the draw does not
    depend on the order of the preferences.
    """
    names, codes = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    counts = np.bincount(np.random.default_rng(seed).integers(0, len(names), size=len(names)), minlength=len(names))
    return np.repeat(np.arange(len(codes)), counts[codes])


def bootstrapped(table: PreferenceTable, *, seed: int) -> PreferenceTable:
    """The drawn preferences over the same data, which are not copied; an empty table stays as it is."""
    return table.select(bootstrap_rows(table.groups, seed=seed)) if len(table) else table
