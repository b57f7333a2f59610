"""Do raters give the same numbers? Krippendorff's α for ordered scales, where 4 against 5 is less of a quarrel than 1
against 5."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import krippendorff
import numpy as np
from jaxtyping import Int

from rewardsmith.core.errors import DataError
from rewardsmith.core.finding import Estimate
from rewardsmith.numerics.intervals import Groups, draw_counts, empty_estimate, encode_groups, from_samples

Level = Literal["ordinal", "interval"]


def rating_alpha(
    values_by_item: Sequence[Sequence[int]],
    groups: Groups | None = None,
    *,
    level: Level = "ordinal",
    draws: int = 200,
    seed: int = 0,
) -> Estimate:
    """Krippendorff's α of numbers on a scale (Krippendorff 2011), with its bootstrap interval.

    1 is perfect agreement, 0 is chance. Items with one number say nothing, and `n` counts the others. NaN where no item
    has two, or where all numbers are the same.

    Args:
        groups: Of each item; whole groups are drawn.
        level: `ordinal` uses the order of the numbers only; `interval` their distances.
        draws: Resamples; 0 gives no interval.

    Raises:
        DataError: There is not one group an item.
    """
    if groups is not None and len(groups) != len(values_by_item):
        raise DataError("values and groups differ in length", wanted=f"{len(values_by_item)} groups", got=len(groups))
    useful = [item for item, values in enumerate(values_by_item) if len(values) >= 2]
    if not useful:
        return empty_estimate()
    domain = sorted({value for item in useful for value in values_by_item[item]})
    counts = np.array([[list(values_by_item[item]).count(value) for value in domain] for item in useful])
    names = np.array(useful) if groups is None else np.asarray(groups)[useful]
    codes, n_groups = encode_groups(counts, names)
    resamples = draw_counts(n_groups, draws=draws if n_groups > 1 else 0, seed=seed)
    samples = [
        _alpha(np.repeat(counts, row[codes], axis=0), domain=domain, level=level) for rows in resamples for row in rows
    ]
    value = _alpha(counts, domain=domain, level=level)
    return from_samples(value, np.array(samples), n=len(useful), groups=n_groups)


def _alpha(counts: Int[np.ndarray, "item value"], *, domain: Sequence[int], level: Level) -> float:
    used = np.flatnonzero(counts.sum(axis=0))
    if len(used) < 2:
        return math.nan
    values = np.asarray(domain)[used]
    return float(krippendorff.alpha(value_counts=counts[:, used], value_domain=values, level_of_measurement=level))
