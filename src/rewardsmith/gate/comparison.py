"""A candidate against the incumbent, on the same pairs.

Raw scores of two models are never compared: each model's margins are read by their sign (accuracy), or after a monotone
curve of its own has made probabilities of them (nats and Brier score). The curves are cross-fitted: each pair is judged
by a curve that its prompt group did not help to fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from rewardsmith.audit.evaluation import to_json
from rewardsmith.audit.heldout.lengths import length_matched
from rewardsmith.audit.observations import Observations
from rewardsmith.core.errors import DataError
from rewardsmith.core.finding import Estimate
from rewardsmith.core.preference import Preference
from rewardsmith.numerics.intervals import Groups, group_bootstrap, paired_difference, share_bootstrap
from rewardsmith.numerics.isotonic import fit_monotone, nats
from rewardsmith.numerics.ranking import pair_accuracy
from rewardsmith.numerics.testing import holm, interval_p_value

REGRESSION_EXIT_CODE = 9
"""A pipeline that releases a candidate stops at this code."""

FEWEST_GROUPS = 20
"""A slice of fewer prompt groups is shown and not tested."""

_SIGNIFICANCE = 0.05
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure of both models on one set of pairs.

    Attributes:
        measure: `accuracy`, `nats` or `brier`.
        slice: `all pairs`, `source: …`, `length: …`, `raters: …` or `turns: …`.
        candidate: Of the candidate.
        incumbent: Of the incumbent.
        difference: Candidate minus incumbent, paired; above 0 is better for accuracy, below 0 for nats and Brier.
        p_worse: That the candidate is no worse, adjusted for all differences tested (Holm); absent where not tested.
        verdict: `better` and `worse` where the paired interval, and for `worse` the adjusted test too, show it.
    """

    measure: str
    slice: str
    candidate: Estimate
    incumbent: Estimate
    difference: Estimate
    p_worse: float | None = None
    verdict: str = "no difference shown"

    @property
    def higher_is_better(self) -> bool:
        """Which way is up."""
        return self.measure == "accuracy"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A candidate and the incumbent on the same pairs.

    Attributes:
        pairs: Pairs that both models could judge.
        left_out: Pairs that the raters did not decide, or that either model gave no number.
        differences: Overall first, then slices.
        repaired: Ids of preferences that the candidate has right and the incumbent wrong.
        broken: The other way round.
    """

    pairs: int
    left_out: int
    differences: tuple[Difference, ...]
    repaired: tuple[str, ...]
    broken: tuple[str, ...]

    @property
    def regressions(self) -> tuple[Difference, ...]:
        """Where the candidate is shown to be worse."""
        return tuple(one for one in self.differences if one.verdict == "worse")

    @property
    def exit_code(self) -> int:
        """0, or 9 where a regression is shown."""
        return REGRESSION_EXIT_CODE if self.regressions else 0


def compare(
    preferences: Sequence[Preference], candidate: Observations, incumbent: Observations, *, seed: int = 0
) -> Comparison:
    """Compare two models' rewards of the same preferences.

    Args:
        preferences: What was observed.
        candidate: The candidate's rewards of them.
        incumbent: The incumbent's.

    Raises:
        DataError: The observations are not of the same pairs, or no pair was judged by both.
    """
    _require_same_pairs(candidate, incumbent)
    both = candidate.judged & incumbent.judged
    if not both.any():
        raise DataError("no pair to compare on", wanted="a pair that both models judge", got=f"{len(both)} without")
    new, old = candidate.where(both), incumbent.where(both)
    credits = pair_accuracy(new.margin), pair_accuracy(old.margin)
    found = [_difference("accuracy", "all pairs", credits, new.group, seed=seed)]
    found += _probabilistic(new, old, seed=seed)
    for name, mask in slices(preferences, new).items():
        part = credits[0][mask], credits[1][mask]
        found.append(_difference("accuracy", name, part, new.group[mask], seed=seed))
    ids = [preferences[int(row)].id for row in new.preference]
    moved = credits[0] - credits[1]
    return Comparison(
        pairs=len(new),
        left_out=int((~both).sum()),
        differences=tuple(_tested(found)),
        repaired=tuple(dict.fromkeys(ids[place] for place in np.flatnonzero(moved > 0))),
        broken=tuple(dict.fromkeys(ids[place] for place in np.flatnonzero(moved < 0))),
    )


def slices(preferences: Sequence[Preference], rows: Observations) -> dict[str, Bool[np.ndarray, " pair"]]:
    """The named parts of `rows` by source, by which answer is longer, by the raters' agreement and by turns.

    A part that holds every pair, or none, is left out: it says nothing beside the whole.
    """
    matched = length_matched(rows)
    longer = ~matched & (rows.length_difference > 0)
    voted = np.isfinite(rows.agreement)
    turns = np.array([len(preferences[int(row)].prompt) for row in rows.preference])
    parts = {f"source: {name}": rows.source == code for code, name in enumerate(rows.source_names)}
    parts |= {
        "length: chosen is longer": longer,
        "length: equally long": matched,
        "length: chosen is shorter": ~matched & ~longer,
        "raters: all agree": voted & (rows.agreement == 1),
        "raters: differ": voted & (rows.agreement < 1),
        "turns: one": turns <= 1,
        "turns: several": turns > 1,
    }
    return {name: mask for name, mask in parts.items() if 0 < mask.sum() < len(rows)}


def as_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as JSON values; NaN becomes `null`."""
    values = to_json(comparison)
    return values | {
        "exit_code": comparison.exit_code,
        "regressions": [f"{one.measure}, {one.slice}" for one in comparison.regressions],
    }


def _require_same_pairs(candidate: Observations, incumbent: Observations) -> None:
    columns = ("preference", "chosen", "rejected", "group", "source", "tie")
    same = len(candidate) == len(incumbent) and all(
        np.array_equal(getattr(candidate, column), getattr(incumbent, column)) for column in columns
    )
    if not same:
        raise DataError("the two models were not asked about the same pairs", fix="score both on the same held-out set")


def _probabilistic(new: Observations, old: Observations, *, seed: int) -> list[Difference]:
    """Nats and Brier score over all pairs, where there are groups enough to fit on some and judge on others."""
    if len(np.unique(new.group)) < FEWEST_GROUPS:
        return []
    fold = _folds(new.group, seed=seed)
    label = new.prob_chosen
    guessed = _cross_fitted(new, fold), _cross_fitted(old, fold)
    costs = nats(guessed[0], label), nats(guessed[1], label)
    errors = (guessed[0] - label) ** 2, (guessed[1] - label) ** 2
    return [
        _difference("nats", "all pairs", costs, new.group, seed=seed),
        _difference("brier", "all pairs", errors, new.group, seed=seed),
    ]


def _folds(groups: np.ndarray, *, seed: int) -> np.ndarray:
    """The fold of each pair; a prompt group lies in one fold."""
    names, codes = np.unique(groups, return_inverse=True)
    return (np.random.default_rng(seed).permutation(len(names)) % _FOLDS)[codes.reshape(-1)]


def _cross_fitted(rows: Observations, fold: np.ndarray) -> Float64[np.ndarray, " pair"]:
    guessed = np.empty(len(rows))
    for number in range(_FOLDS):
        here = fold == number
        curve = fit_monotone(rows.margin[~here], rows.prob_chosen[~here])
        guessed[here] = curve(rows.margin[here])
    return guessed


def _difference(
    measure: str, name: str, values: tuple[np.ndarray, np.ndarray], groups: Groups, *, seed: int
) -> Difference:
    """`values`: the candidate's and the incumbent's, a pair each."""
    candidate, incumbent = values
    estimate = share_bootstrap if measure == "accuracy" else group_bootstrap
    return Difference(
        measure=measure,
        slice=name,
        candidate=estimate(candidate, groups, seed=seed),
        incumbent=estimate(incumbent, groups, seed=seed),
        difference=paired_difference(candidate, incumbent, groups, seed=seed),
    )


def _tested(found: Sequence[Difference]) -> list[Difference]:
    """The same, each with its verdict."""
    tested = [place for place, one in enumerate(found) if one.difference.groups >= FEWEST_GROUPS]
    raw = [
        interval_p_value(
            found[place].difference, null=0.0, alternative="less" if found[place].higher_is_better else "greater"
        )
        for place in tested
    ]
    adjusted = dict(zip(tested, holm(np.array(raw, dtype=np.float64)).tolist(), strict=True))
    return [_with_verdict(one, adjusted.get(place)) for place, one in enumerate(found)]


def _with_verdict(one: Difference, p_worse: float | None) -> Difference:
    gain = one.difference if one.higher_is_better else _negative(one.difference)
    verdict = "no difference shown"
    if p_worse is None:
        verdict = "too few to tell"
    elif gain.high < 0 and p_worse < _SIGNIFICANCE:
        verdict = "worse"
    elif gain.low > 0:
        verdict = "better"
    return Difference(one.measure, one.slice, one.candidate, one.incumbent, one.difference, p_worse, verdict)


def _negative(estimate: Estimate) -> Estimate:
    return Estimate(-estimate.value, -estimate.high, -estimate.low, estimate.n, estimate.groups)
