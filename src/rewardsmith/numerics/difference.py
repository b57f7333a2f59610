"""The difference of two estimates from different groups."""

from __future__ import annotations

from math import hypot

from rewardsmith.core.finding import Estimate


def independent_difference(one: Estimate, other: Estimate) -> Estimate:
    """d = one − other, with an interval recovered from theirs (MOVER; Zou & Donner 2008, eq. 1):

    low = d − √((a − a_low)² + (b_high − b)²), high = d + √((a_high − a)² + (b − b_low)²).
    """
    value = one.value - other.value
    return Estimate(
        value=value,
        low=value - hypot(one.value - one.low, other.high - other.value),
        high=value + hypot(one.high - one.value, other.value - other.low),
        n=one.n + other.n,
        groups=one.groups + other.groups,
    )
