"""Which task a rater gets, and in which order its responses stand: pure functions of counts and seeded lots."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Sort = Literal["gold", "repeat", "new"]

_LOT_BITS = 53
"""As many as a float has: more would round up to 1."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A task that may be offered.

    Attributes:
        task: Id of the task.
        priority: Higher ones are asked first.
        taken: Votes that it has, and raters who are at it now.
    """

    task: str
    priority: float
    taken: int


def draw_lot(*parts: object) -> float:
    """A number in [0, 1) that `parts` alone decide: a seed, and what the lot is about."""
    text = "\x00".join(map(str, parts)).encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(text).digest()
    return (int.from_bytes(digest, "big") >> (8 * len(digest) - _LOT_BITS)) / 2**_LOT_BITS


def choose_sort(lot: float, *, gold_share: float, repeat_share: float) -> Sort:
    """Whether the next task tests the rater, repeats an earlier one of theirs, or is new."""
    if lot < gold_share:
        return "gold"
    return "repeat" if lot < gold_share + repeat_share else "new"


def choose_task(candidates: Sequence[Candidate], lot: float) -> Candidate | None:
    """One of the candidates of highest priority that have fewest votes, by lot; `None` where there is no candidate."""
    if not candidates:
        return None
    best = min((-candidate.priority, candidate.taken) for candidate in candidates)
    equal = [candidate for candidate in candidates if (-candidate.priority, candidate.taken) == best]
    return equal[int(lot * len(equal))]


def choose_order(n_responses: int, lot: float) -> tuple[int, ...]:
    """An order of the responses, all orders being equally likely: `order[i]` is the response at place i.

    The lot is read as a number in the factorial number system (Lehmer code), so one of its values is one order.
    """
    left = list(range(n_responses))
    order = []
    while left:
        lot *= len(left)
        place = min(int(lot), len(left) - 1)
        lot -= place
        order.append(left.pop(place))
    return tuple(order)
