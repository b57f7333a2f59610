"""Do the sources want opposite things? A question about the data; no model is asked.

Raters of different sources may follow different instructions. In HH the longer answer wins 59% of the helpful pairs and
44% of the harmless ones, and a bag of words that was fitted on either is right on about 40% of the other: each
alone can be learnt to 60%, both together to 54%. One number over both hides it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from rewardsmith.audit.absent import Absent
from rewardsmith.audit.heldout.accuracy import percent
from rewardsmith.audit.heldout.words import fit_words
from rewardsmith.audit.observations import OrderedPair, ordered_pairs
from rewardsmith.core.conversation import response_text
from rewardsmith.core.finding import Estimate, Finding
from rewardsmith.core.preference import Preference
from rewardsmith.numerics.difference import independent_difference
from rewardsmith.numerics.intervals import share_bootstrap
from rewardsmith.numerics.ranking import pair_accuracy
from rewardsmith.numerics.testing import interval_p_value

FEWEST_PAIRS = 50
_MAX_SOURCES = 6
_MAX_PREFERENCES = 4000


@dataclass(frozen=True, slots=True)
class LengthTaste:
    """How often the longer answer is the preferred one in a source."""

    source: str
    longer: Estimate


@dataclass(frozen=True, slots=True)
class WordTransfer:
    """Accuracy, on one source, of a bag of words that was fitted on another.

    Below one half, the words that win in the one lose in the other.
    """

    fitted_on: str
    judged_on: str
    accuracy: Estimate


@dataclass(frozen=True, slots=True)
class Conflict:
    """What each source rewards, over all pairs that were given, held-out and training ones.

    Attributes:
        lengths: One a source.
        transfers: One an ordered pair of sources.
    """

    lengths: tuple[LengthTaste, ...]
    transfers: tuple[WordTransfer, ...]


def measure_conflict(preferences: Sequence[Preference], *, seed: int) -> Conflict | Absent:
    """Compare the largest sources with each other; at most 4,000 preferences of each, the first ones, are looked at."""
    by_source: dict[str, list[Preference]] = defaultdict(list)
    for preference in preferences:
        by_source[preference.source].append(preference)
    kept = sorted(by_source.items(), key=lambda item: -len(item[1]))[:_MAX_SOURCES]
    sources = {name: some[:_MAX_PREFERENCES] for name, some in sorted(kept) if _decided(some) >= FEWEST_PAIRS}
    if len(sources) < 2:
        return Absent(f"Fewer than two sources have {FEWEST_PAIRS} decided pairs.")
    return Conflict(
        lengths=tuple(LengthTaste(name, _longer(some, seed=seed)) for name, some in sources.items()),
        transfers=tuple(
            WordTransfer(one, other, _transfer(sources[one], sources[other], seed=seed))
            for one in sources
            for other in sources
            if one != other
        ),
    )


def describe_conflicts(conflict: Conflict) -> tuple[str, ...]:
    """Each contradiction in words."""
    return (
        *(text for one, other in combinations(conflict.lengths, 2) for text in _opposite_lengths(one, other)),
        *(_opposite_words(transfer) for transfer in conflict.transfers if transfer.accuracy.high < 0.5),
    )


def conflict_findings(conflict: Conflict | Absent) -> list[Finding]:
    """`source.conflict`, where there are two sources to compare."""
    if isinstance(conflict, Absent):
        return []
    found = describe_conflicts(conflict)
    weakest = min((transfer.accuracy for transfer in conflict.transfers), key=lambda estimate: estimate.value)
    p_value = _p_value(conflict)
    if not found:
        summary = f"No two of {len(conflict.lengths)} sources prefer clearly opposite lengths or words."
        return [Finding("source.conflict", weakest, "info", summary, limit=0.5, p_value=p_value)]
    summary = (
        f"THE SOURCES CONTRADICT EACH OTHER. {' '.join(found)} One reward cannot follow both: what it learns from "
        "one it unlearns on the other, and a pooled accuracy hides it. Train one model a source, or decide which "
        "source says what the reward is for."
    )
    return [Finding("source.conflict", weakest, "warning", summary, limit=0.5, p_value=p_value)]


def _p_value(conflict: Conflict) -> float:
    """The smallest p of all comparisons, times their number. Two tastes for length are opposite only if both are
    shown, so the larger p of the two counts."""
    words = [interval_p_value(one.accuracy, null=0.5, alternative="less") for one in conflict.transfers]
    tastes = [
        max(
            interval_p_value(low.longer, null=0.5, alternative="less"),
            interval_p_value(high.longer, null=0.5, alternative="greater"),
        )
        for one, other in combinations(conflict.lengths, 2)
        for low, high in [sorted((one, other), key=lambda taste: taste.longer.value)]
    ]
    every = [*words, *tastes]
    return min(1.0, len(every) * min(every))


def _opposite_lengths(one: LengthTaste, other: LengthTaste) -> list[str]:
    """Opposite where one side prefers longer, the other shorter answers, and the two differ beyond chance."""
    low, high = sorted((one, other), key=lambda taste: taste.longer.value)
    apart = independent_difference(high.longer, low.longer)
    if not (low.longer.value < 0.5 < high.longer.value and apart.low > 0):
        return []
    return [
        f"The longer answer wins {percent(low.longer)} of the pairs of {low.source} but "
        f"{percent(high.longer)} of those of {high.source}."
    ]


def _opposite_words(transfer: WordTransfer) -> str:
    return (
        f"Words that win in {transfer.fitted_on} lose in {transfer.judged_on}: a bag of words fitted on the one is "
        f"right on {percent(transfer.accuracy)} of the other."
    )


def _decided(preferences: Sequence[Preference]) -> int:
    return sum(not pair.tie for pair in ordered_pairs(preferences))


def _longer(preferences: Sequence[Preference], *, seed: int) -> Estimate:
    pairs = [pair for pair in ordered_pairs(preferences) if not pair.tie]
    difference = np.array([_length(pair, pair.chosen) - _length(pair, pair.rejected) for pair in pairs], dtype=float)
    return share_bootstrap(pair_accuracy(difference), [pair.preference.group for pair in pairs], seed=seed)


def _length(pair: OrderedPair, response: int) -> int:
    return len(response_text(pair.preference.responses[response]))


def _transfer(fitted: Sequence[Preference], judged: Sequence[Preference], *, seed: int) -> Estimate:
    pairs = ordered_pairs(judged)
    decided = np.array([not pair.tie for pair in pairs])
    groups = np.array([pair.preference.group for pair in pairs])
    margin = fit_words(judged, fitted).margin
    return share_bootstrap(pair_accuracy(margin[decided]), groups[decided], seed=seed)
