"""A simulated panel of raters with known noise. No person is behind these votes.

Each rater sees the difference of two responses' points, shifted by a taste for longer texts, and votes by the
model of Rao and Kupper (1967), with `d` the perceived difference, `t` the rater's indifference and `s` the noise:

    P(first) = σ((d − t) / s)    P(second) = σ((−d − t) / s)    P(tie) = 1 − P(first) − P(second)
    d = points_first − points_second + length_taste · log((words_first + 1) / (words_second + 1))

Votes are drawn by hash from a seed, so that the same responses always get the same votes, in either order.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from itertools import combinations
from typing import Literal, NamedTuple

Vote = Literal["first", "second", "tie"]


class Rater(NamedTuple):
    """One simulated rater.

    Attributes:
        name: Letters only.
        noise: Scale `s` of the logistic noise, in points; above 0.
        indifference: `t`: perceived differences below about this are ties, in points; at least 0.
        length_taste: Points for each factor e in length; 0 for a rater who does not care.
    """

    name: str
    noise: float
    indifference: float = 0.35
    length_taste: float = 0.0


class Rated(NamedTuple):
    """A response as the panel sees it: its points by the rubric and its number of words."""

    text: str
    points: float
    words: int


PANEL = (
    Rater("ada", noise=0.3),
    Rater("ben", noise=0.5),
    Rater("cem", noise=0.5),
    Rater("dora", noise=0.9),
    Rater("eli", noise=0.5, length_taste=0.5),
)
"""The raters of the built-in data set: one careful, three ordinary (one of whom likes long texts), one careless."""

SEED = 20250
"""Seed of the built-in data set's votes."""


def perceived_difference(rater: Rater, first: Rated, second: Rated) -> float:
    """`d`, in points; swapping the responses flips its sign."""
    return first.points - second.points + rater.length_taste * math.log((first.words + 1) / (second.words + 1))


def vote_probabilities(rater: Rater, difference: float) -> tuple[float, float, float]:
    """P(first), P(second), P(tie) at a perceived difference."""
    first = _sigmoid((difference - rater.indifference) / rater.noise)
    second = _sigmoid((-difference - rater.indifference) / rater.noise)
    return first, second, 1 - first - second


def cast_vote(rater: Rater, first: Rated, second: Rated, *, seed: int, item: str) -> Vote:
    """The rater's vote on two responses of one item (any name of the prompt). Swapping them swaps the vote."""
    if first.text > second.text:
        swapped = cast_vote(rater, second, first, seed=seed, item=item)
        return {"first": "second", "second": "first", "tie": "tie"}[swapped]  # pyright: ignore[reportReturnType]
    prob_first, prob_second, _ = vote_probabilities(rater, perceived_difference(rater, first, second))
    draw = _uniform(f"{seed}\0{item}\0{rater.name}\0{first.text}\0{second.text}")
    if draw < prob_first:
        return "first"
    return "second" if draw < prob_first + prob_second else "tie"


def poll(panel: Sequence[Rater], first: Rated, second: Rated, *, seed: int, item: str) -> tuple[Vote, ...]:
    """One vote a rater, in the panel's order."""
    return tuple(cast_vote(rater, first, second, seed=seed, item=item) for rater in panel)


def lead(votes: Sequence[Vote]) -> int:
    """Votes for the first minus votes for the second."""
    return votes.count("first") - votes.count("second")


def decide(votes: Sequence[Vote]) -> Vote:
    """The side with more votes; a tie where the sides have as many, or where more raters called a tie than either."""
    first, second, tie = (votes.count(side) for side in ("first", "second", "tie"))
    if first == second or tie > max(first, second):
        return "tie"
    return "first" if first > second else "second"


def rank(panel: Sequence[Rater], responses: Sequence[Rated], *, seed: int, item: str) -> list[int]:
    """Ranks from a poll on every pair: 1 is best, equal ranks are ties, and `[1, 2, 2, 4]` leaves out 3.

    Responses are ordered by Borda points, the sum over the other responses of `lead`.
    """
    borda = [0] * len(responses)
    for i, j in combinations(range(len(responses)), 2):
        difference = lead(poll(panel, responses[i], responses[j], seed=seed, item=item))
        borda[i] += difference
        borda[j] -= difference
    return [1 + sum(other > own for other in borda) for own in borda]


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def _uniform(key: str) -> float:
    """A number in [0, 1) from a hash: the same in every version of Python and numpy."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=7).digest()) / 2**56
