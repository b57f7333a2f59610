"""What a data card counts: one pass over the preferences, then numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from rewardsmith.core.conversation import Conversation, response_text
from rewardsmith.core.finding import Estimate
from rewardsmith.core.preference import Preference
from rewardsmith.numerics.agreement import alpha_bootstrap, rater_agreement, raw_agreement

_QUANTILES = {"min": 0.0, "p10": 0.1, "median": 0.5, "p90": 0.9, "max": 1.0}


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far raters agree, over the preferences with at least two votes."""

    alpha: Estimate
    raw: Estimate
    raters: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class DataStatistics:
    """Counts and distributions of a set of preferences.

    Attributes:
        preferences: Number of preferences.
        groups: Number of prompt groups.
        pairs: Number of comparisons.
        ties: How many of them are ties.
        soft_labels: How many others have a label strictly between 0 and 1.
        sources: Preferences of each source, most first.
        responses: Preferences by number of responses.
        turns: Preferences by number of turns of the prompt.
        prompt_chars: Characters of each prompt, all turns.
        chosen_chars: Characters of the chosen response of each pair that is no tie.
        rejected_chars: Likewise of the rejected one.
        margins: The margin of each pair that has one and is no tie.
        agreement: `None` where no preference has two votes.
    """

    preferences: int
    groups: int
    pairs: int
    ties: int
    soft_labels: int
    sources: Mapping[str, int]
    responses: Mapping[int, int]
    turns: Mapping[int, int]
    prompt_chars: Float[np.ndarray, " preference"]
    chosen_chars: Float[np.ndarray, " pair"]
    rejected_chars: Float[np.ndarray, " pair"]
    margins: Float[np.ndarray, " pair"]
    agreement: Agreement | None


def collect(preferences: Iterable[Preference], *, seed: int = 0) -> DataStatistics:
    """The statistics of `preferences`."""
    items = list(preferences)
    pairs = [(item, pair) for item in items for pair in item.pairs]
    decided = [(item, pair) for item, pair in pairs if not pair.tie]
    return DataStatistics(
        preferences=len(items),
        groups=len({item.group for item in items}),
        pairs=len(pairs),
        ties=len(pairs) - len(decided),
        soft_labels=sum(0 < pair.prob_chosen < 1 for _, pair in decided),
        sources=dict(Counter(item.source for item in items).most_common()),
        responses=dict(sorted(Counter(len(item.responses) for item in items).items())),
        turns=dict(sorted(Counter(len(item.prompt) for item in items).items())),
        prompt_chars=_sizes(sum(len(turn.content) for turn in item.prompt) for item in items),
        chosen_chars=_sizes(_length(item.responses[pair.chosen]) for item, pair in decided),
        rejected_chars=_sizes(_length(item.responses[pair.rejected]) for item, pair in decided),
        margins=_sizes(pair.margin for _, pair in decided if pair.margin is not None),
        agreement=_agreement([item for item in items if _useful_votes(item) >= 2], seed=seed),
    )


def summarise(values: Float[np.ndarray, " item"]) -> dict[str, float | int | None]:
    """Number, mean and quantiles; `None` where there are no values."""
    known = np.asarray(values, dtype=np.float64)
    if not len(known):
        return {"n": 0, "mean": None, **dict.fromkeys(_QUANTILES)}
    at = np.quantile(known, list(_QUANTILES.values()))
    return {"n": len(known), "mean": float(known.mean()), **dict(zip(_QUANTILES, at.tolist(), strict=True))}


def _agreement(voted: list[Preference], *, seed: int) -> Agreement | None:
    if not voted:
        return None
    votes, groups = [item.votes for item in voted], [item.group for item in voted]
    named = [item for item in voted if len(item.raters) == len(item.votes)]
    return Agreement(
        alpha=alpha_bootstrap(votes, groups, seed=seed),
        raw=raw_agreement(votes, groups, seed=seed),
        raters=rater_agreement(
            [item.votes for item in named],
            [item.raters for item in named],
            [item.group for item in named],
            seed=seed,
        ),
    )


def _useful_votes(preference: Preference) -> int:
    return sum(vote != "abstain" for vote in preference.votes)


def _length(response: Conversation) -> int:
    return len(response_text(response))


def _sizes(values: Iterable[float]) -> Float[np.ndarray, " item"]:
    return np.fromiter(values, dtype=np.float64)
