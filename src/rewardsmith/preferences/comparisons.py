"""Rankings, ratings and sides of one prompt → the pairs between its responses.

All pairs of a prompt stay together in one `Preference`: K responses in K (K - 1) / 2 separate rows would be seen
K - 1 times an epoch each and overfit (InstructGPT, arXiv:2203.02155, section 3.5).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import combinations, product

from rewardsmith.core.preference import Pair

_ROUNDING = 1e-9


def from_ratings(ratings: Sequence[float], *, min_gap: float = 0.0) -> tuple[Pair, ...]:
    """A pair for each two responses whose ratings differ, by `min_gap` at least; higher is better.

    Args:
        ratings: `[response]`.
        min_gap: In the ratings' own unit. Ratings that are equal never form a pair: two responses that both got
            a 4 were not compared by anyone, so they are no tie either.

    Returns:
        Pairs in the order of their responses, the gap as `margin`.
    """
    pairs = []
    for first, second in combinations(range(len(ratings)), 2):
        gap = ratings[first] - ratings[second]
        # Decimal ratings are not exact: .9 - .6 is a little less than .3.
        if gap != 0 and abs(gap) >= min_gap - _ROUNDING:
            better, worse = (first, second) if gap > 0 else (second, first)
            pairs.append(Pair(better, worse, margin=abs(gap)))
    return tuple(pairs)


def from_ranks(ranks: Sequence[float]) -> tuple[Pair, ...]:
    """A pair for each two responses; the lower rank is better, equal ranks are a tie.

    Args:
        ranks: `[response]`, 1 (or 0) for the best. The distance between ranks is no margin: it says how many
            others stood between, not how much better.
    """
    pairs = []
    for first, second in combinations(range(len(ranks)), 2):
        if ranks[first] == ranks[second]:
            pairs.append(Pair(first, second, prob_chosen=0.5, tie=True))
        else:
            better, worse = (first, second) if ranks[first] < ranks[second] else (second, first)
            pairs.append(Pair(better, worse))
    return tuple(pairs)


def from_sides(good: Sequence[int], bad: Sequence[int]) -> tuple[Pair, ...]:
    """Every response of `good` beats every one of `bad`; within a side nothing is compared."""
    return tuple(Pair(better, worse) for better, worse in product(good, bad))


def between(pairs: Sequence[Pair], usable: Collection[int]) -> tuple[tuple[int, ...], tuple[Pair, ...]]:
    """What is left of a preference of which only some responses can be used.

    Returns:
        The usable responses that stand in a pair with another usable one, in order; and those pairs, whose indices
        count among these responses.
    """
    left = [pair for pair in pairs if pair.chosen in usable and pair.rejected in usable]
    used = tuple(sorted({index for pair in left for index in pair[:2]}))
    place = {old: new for new, old in enumerate(used)}
    return used, tuple(pair._replace(chosen=place[pair.chosen], rejected=place[pair.rejected]) for pair in left)
