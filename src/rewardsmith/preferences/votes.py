"""Votes of several raters on one pair: their majority, their agreement, and the soft label they give.

A vote is `chosen`, `rejected`, `tie` or `abstain`. Who abstains is not counted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from rewardsmith.core.preference import Preference

VOTES = ("chosen", "rejected", "tie", "abstain")

Verdict = Literal["chosen", "rejected", "tie"]


def prob_chosen(votes: Sequence[str]) -> float | None:
    """(chosen + tie / 2) / (chosen + rejected + tie): a tie is half a vote for each side.

    `None` where nobody voted or all abstained.
    """
    counts = Counter(votes)
    cast = counts["chosen"] + counts["rejected"] + counts["tie"]
    return (counts["chosen"] + counts["tie"] / 2) / cast if cast else None


def agreement(votes: Sequence[str]) -> float:
    """Share of the most frequent vote among those who did not abstain, in (0, 1]; NaN where nobody voted."""
    counts = _cast(votes)
    return max(counts.values()) / counts.total() if counts else math.nan


def majority(votes: Sequence[str]) -> Verdict | None:
    """The most frequent vote; `tie` where two are equally frequent, `None` where nobody voted."""
    ranked = _cast(votes).most_common(2)
    if not ranked:
        return None
    if len(ranked) == 2 and ranked[0][1] == ranked[1][1]:
        return "tie"
    return _verdict(ranked[0][0])


def soften(preference: Preference) -> Preference:
    """The same preference with the share of votes as its pair's `prob_chosen`.

    The order of the pair stays, so votes against the label give a value below .5. A preference without votes, or
    with other than one pair, is returned as it is.
    """
    share = prob_chosen(preference.votes)
    if share is None or len(preference.pairs) != 1:
        return preference
    return replace(preference, pairs=(preference.pairs[0]._replace(prob_chosen=share),))


def _cast(votes: Sequence[str]) -> Counter[str]:
    return Counter(vote for vote in votes if vote != "abstain")


def _verdict(vote: str) -> Verdict:
    match vote:
        case "chosen" | "rejected" | "tie":
            return vote
        case _:
            raise ValueError(f"unknown vote {vote!r}; known votes: {', '.join(VOTES)}")
